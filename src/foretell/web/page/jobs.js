// Jobs: what was set going, wherever one was when one did; the list lives on the server and survives a reload.

import { get, post, remove } from "./api.js";
import { h, note, refill, tell } from "./dom.js";

const OPEN = ["waiting", "running"];

/** Starts a job and says so. */
export async function start(wish) {
  const job = await post("/v1/jobs", wish);
  tell(`${job.run} is in the queue.`);
  return job;
}

const done_text = { done: "done", failed: "failed", cancelled: "cancelled", stopped: "stopped" };

function line(job, changed) {
  const open = OPEN.includes(job.state);
  const act = async (work) => { try { await work(); } catch (error) { tell(error.message); } changed(); };
  return h("tr", {},
    h("td", {}, job.begun ? h("a", { href: `#runs/${encodeURIComponent(job.run)}` }, job.run) : job.run),
    h("td", {}, `${job.verb} ${job.task}`),
    h("td", {}, h("span", { class: `tag ${job.state === "failed" ? "error" : ""}` }, done_text[job.state] ?? job.state),
      job.error ? h("p", { class: "hint error" }, job.error.message) : null),
    h("td", {}, open
      ? h("button", { type: "button", class: "quiet small", "aria-label": `Cancel ${job.run}`, onclick: () => act(() => remove(`/v1/jobs/${job.id}`)) }, "Cancel")
      : ["cancelled", "stopped"].includes(job.state)
        ? h("button", { type: "button", class: "quiet small", "aria-label": `Go on with ${job.run}`, onclick: () => act(() => start({ resume: job.run })) }, "Go on")
        : null));
}

/** The list of jobs in a place, kept up to date; returns what stops that. `seen` is told of all jobs. */
export function follow(place, { task = null, seen = () => {}, most = 5 } = {}) {
  let timer = null, stopped = false;
  const look = async () => {
    clearTimeout(timer);
    try {
      const { jobs } = await get("/v1/jobs");
      if (stopped) return;
      const own = jobs.filter((job) => !task || job.task === task);
      const open = own.filter((job) => OPEN.includes(job.state)).reverse();
      const shown = [...open, ...own.filter((job) => !OPEN.includes(job.state)).slice(0, most)];
      refill(place, shown.length ? h("section", { "aria-label": "Jobs" }, h("h2", {}, "Jobs"), h("div", { class: "wide" }, h("table", {},
        h("thead", {}, h("tr", {}, ["run", "what", "state", ""].map((name) => h("th", { scope: "col" }, name || h("span", { class: "visually-hidden" }, "what to do"))))),
        h("tbody", {}, shown.map((job) => line(job, look)))))) : null);
      seen(own);
      timer = setTimeout(look, own.some((job) => OPEN.includes(job.state)) ? 1000 : 5000);
    } catch (error) {
      if (stopped) return;
      refill(place, note(error.message, "error"));
      timer = setTimeout(look, 5000);
    }
  };
  look();
  return Object.assign(() => { stopped = true; clearTimeout(timer); }, { look });
}
