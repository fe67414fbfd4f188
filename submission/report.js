"use strict";
// The language of the page: the one in its address (?lang=zh), the one chosen before, the reader's.
// Without this script the page is in English.
(function () {
  const root = document.documentElement;
  const buttons = Array.from(document.querySelectorAll("button[data-lang]"));

  function show(lang) {
    root.lang = lang;
    for (const button of buttons) {
      const chosen = button.dataset.lang === lang;
      button.setAttribute("aria-pressed", String(chosen));
      if (chosen) document.title = button.dataset.title;
    }
  }

  function stored() {
    // A browser may refuse a page of a file any storage.
    try { return localStorage.getItem("report-language"); } catch (error) { return null; }
  }

  function store(lang) {
    try { localStorage.setItem("report-language", lang); } catch (error) { /* shown, not kept */ }
  }

  for (const button of buttons) {
    button.addEventListener("click", function () {
      show(button.dataset.lang);
      store(button.dataset.lang);
    });
  }
  const asked = new URLSearchParams(location.search).get("lang") || stored() || navigator.language;
  show(/^zh/i.test(asked || "") ? "zh-Hans" : "en");
  document.getElementById("switch").hidden = false;
})();
