"""Training with MindFormers: what is registered with it, the worker, the launch."""
