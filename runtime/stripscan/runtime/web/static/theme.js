// Theme and language, before anything else is drawn.
const root = document.documentElement;
root.dataset.theme = localStorage.getItem("theme") || "dark";

document.getElementById("theme").onclick = () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  dispatchEvent(new Event("themechange"));
};
document.getElementById("language").onchange = (event) => {
  const day = 86400;
  document.cookie =
    `stripscan_language=${event.target.value}; path=/; max-age=${365 * day}; samesite=strict`;
  location.reload();
};
