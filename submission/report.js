"use strict";
// The language of the page: the one in its address (?lang=zh), the one chosen before, the reader's.
// Without this script the page is in English.
(function () {
  const buttons = Array.from(document.querySelectorAll("#switch button"));
  function show(lang) {
    document.documentElement.lang = lang;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.lang === lang));
      if (button.lang === lang) document.title = button.dataset.title;
    }
  }
  // A browser may refuse a page of a file any storage.
  function storage(use) { try { return use(localStorage); } catch (error) { return null; } }
  for (const button of buttons) {
    button.addEventListener("click", function () {
      show(button.lang);
      storage(function (kept) { kept.setItem("report-language", button.lang); });
    });
  }
  const kept = storage(function (items) { return items.getItem("report-language"); });
  const asked = new URLSearchParams(location.search).get("lang") || kept || navigator.language;
  show(/^zh/i.test(asked || "") ? "zh-Hans" : "en");
  document.getElementById("switch").hidden = false;
})();
