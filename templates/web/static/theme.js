// Before the page is drawn: the theme that somebody chose. Without a choice, or
// without storage, it is the system's.
"use strict";
try {
  const theme = localStorage.getItem("fanout-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* storage is off */ }
