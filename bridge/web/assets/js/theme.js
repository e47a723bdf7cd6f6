// Sets the theme before anything is drawn; a classic script, so that it blocks.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: light)");
  const apply = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // storage is off: follow the system
    }
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? "light" : "dark");
  };
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("ss-theme", apply);
})();
