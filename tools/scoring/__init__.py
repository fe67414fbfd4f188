"""SQuAD, arithmetic and contest scores, without MindSpore and without MindFormers."""
