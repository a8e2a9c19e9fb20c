import { $, post, t } from "./common.js";

$("login").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target;
  $("wrong").textContent = "";
  try {
    await post("/api/login", { user: form.user.value.trim(), password: form.password.value });
    location.assign("/");
  } catch (error) {
    form.password.value = "";
    if (error.status === 429) {
      $("wrong").textContent = t("login.wait", { minutes: Math.ceil(error.wait / 60) });
    } else if (error.message.includes("out of date")) {
      $("wrong").textContent = t("login.stale");
      setTimeout(() => location.reload(), 1500);
    } else {
      $("wrong").textContent = error.status === 403 ? t("login.wrong") : error.message;
    }
    form.password.focus();
  }
};
