// The frame: which page is seen, in which colours, and the token where one is asked for.

import { get, on_token, post } from "./api.js";
import { fill, h, field, note, tell } from "./dom.js";
import { redraw } from "./plots.js";

const PAGES = { runs: "Runs", forecast: "Forecast", classify: "Classify", generate: "Generate", translate: "Translate", dream: "Dream" };
const main = document.getElementById("main");
let leave = () => {};

async function show() {
  const name = location.hash.slice(1).split("/")[0];
  const page = name in PAGES ? name : "runs";
  leave();
  leave = () => {};
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${PAGES[page]} · Foretell`;
  const place = h("div", {});
  fill(main, place);
  try {
    const { open } = await import(`./${page}.js`);
    if (place.isConnected) leave = (await open(place, location.hash.slice(1).split("/").slice(1).map(decodeURIComponent))) ?? (() => {});
  } catch (error) {
    fill(place, h("h1", {}, PAGES[page]), note(error.message, "error"));
  }
}

function themes() {
  const button = document.getElementById("theme");
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const told = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `${button.textContent} colours`); };
  const kept = localStorage.getItem("theme");
  if (kept) document.documentElement.dataset.theme = kept;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", document.documentElement.dataset.theme);
    told();
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { told(); redraw(); });
  told();
}

function ask_for_token() {
  if (document.querySelector("dialog")) return;
  const token = h("input", { type: "password", autocomplete: "current-password", required: true });
  const failed = h("div", {});
  const dialog = h("dialog", { "aria-labelledby": "token-heading" },
    h("h2", { id: "token-heading" }, "This service asks for its token"),
    h("form", { onsubmit: async (event) => {
      event.preventDefault();
      try {
        await post("/v1/session", { token: token.value });
        dialog.remove();
        show();
      } catch (error) { fill(failed, note(error.message, "error")); }
    } }, field("Token", token), failed, h("div", { class: "actions" }, h("button", {}, "Open"))));
  document.body.append(dialog);
  dialog.showModal();
}

fill(document.getElementById("pages"), Object.entries(PAGES).map(([page, text]) => h("a", { href: `#${page}`, "data-page": page }, text)));
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
on_token(ask_for_token);
themes();
addEventListener("hashchange", show);
addEventListener("unhandledrejection", (event) => { if (event.reason?.name !== "AbortError") tell(event.reason?.message ?? "Something failed."); event.preventDefault(); });
get("/v1/about").catch(() => null).then(show);
