// Runs: all of them in a table, learning curves laid over each other, the report of one.

import { get } from "./api.js";
import { board, progress } from "./board.js";
import { fill, h, note, refill, table, tell } from "./dom.js";
import { follow, start } from "./jobs.js";
import { COLOURS, draw, faint } from "./plots.js";

export function open(place, [first]) {
  const jobs = h("div", {}), list = h("div", {}), curves = h("div", {}), detail = h("div", {});
  const chosen = new Set(first ? [first] : []);
  let shown = first ?? null, timer = null, stopped = false, kept = "";
  fill(place, h("h1", {}, "Runs"), h("p", { class: "lead" }, "What was trained, how good it is on data it never saw, and how it learned."), jobs, list, curves, detail);

  const toggle = (name) => { if (!chosen.delete(name)) chosen.add(name); look_at_curves(true); };
  const look = async () => {
    clearTimeout(timer);
    const { runs } = await get("/v1/runs");
    if (stopped) return;
    if (!chosen.size && runs.length) chosen.add(runs[0].name);
    const same = JSON.stringify([runs, shown]);
    if (same !== kept) { kept = same; refill(list, runs.length ? listed(runs) : empty()); }
    const at_work = runs.some((run) => run.state === "unfinished" && run.progress?.at && Date.now() / 1000 - run.progress.at < 60);
    await look_at_curves(false);
    timer = setTimeout(() => look().catch(failed), at_work ? 1500 : 6000);
  };
  const failed = (error) => { tell(error.message); if (!stopped) timer = setTimeout(() => look().catch(failed), 6000); };

  function listed(runs) {
    const lines = runs.map((run) => h("tr", { class: run.name === shown ? "chosen" : null },
      h("td", {}, h("input", { type: "checkbox", "aria-label": `Curves of ${run.name}`, checked: chosen.has(run.name), onchange: () => toggle(run.name) })),
      h("td", {}, h("button", { type: "button", class: "quiet small", onclick: () => { shown = run.name; chosen.add(run.name); kept = ""; look().catch(failed); look_at_detail(); } }, run.name)),
      h("td", {}, run.task ?? ""), h("td", {}, run.rung ?? ""),
      h("td", { class: "number" }, run.text ?? ""),
      h("td", { class: "number" }, run.skill && run.verdict !== "baseline" ? `${(100 * run.skill.value).toFixed(1)} %` : ""),
      h("td", {}, run.verdict ? h("span", { class: run.verdict }, run.verdict) : ""),
      h("td", {}, state(run)),
      h("td", {}, run.created.slice(0, 16).replace("T", " "))));
    return h("section", { "aria-label": "All runs" }, table(["curves", "run", "task", "best rung", "on test", "skill", "verdict", "state", "begun"], lines, { right: [4, 5], caption: "All runs" }));
  }

  function state(run) {
    if (run.state !== "unfinished") return h("span", { class: "tag" }, run.state);
    const at = run.progress;
    return h("span", { class: "tag" }, at?.rung ? `${at.rung}${at.epoch ? `, epoch ${at.epoch}` : ""}` : "unfinished");
  }

  function empty() {
    const begin = async (wish) => { try { await start(wish); jobs_list.look(); } catch (error) { tell(error.message); } };
    return h("section", {}, h("h2", {}, "Nothing here yet"),
      h("p", {}, "Try what comes with Foretell: two minutes each on two processors."),
      h("div", { class: "actions" },
        h("button", { type: "button", onclick: () => begin({ recipe: "demo" }) }, "Compare on the weather of New York"),
        h("button", { type: "button", class: "quiet", onclick: () => begin({ recipe: "dates" }) }, "Learn to read dates"),
        h("a", { href: "#forecast" }, "or drop a file of yours")));
  }

  let drawn = "";
  async function look_at_curves(anew) {
    const documents = await Promise.all([...chosen].map((name) => get(`/v1/runs/${encodeURIComponent(name)}`).catch(() => null)));
    if (stopped) return;
    const found = documents.filter(Boolean);
    const all = found.flatMap((own) => own.curves.map((curve) => ({ ...curve, run: own.run.name })));
    const stamp = JSON.stringify(all.map((curve) => [curve.run, curve.name, curve.epochs.length]));
    if (stamp !== drawn || anew) {
      drawn = stamp;
      if (!all.length) fill(curves);
      else {
        const data = all.flatMap((curve, place) => {
          const colour = COLOURS[place % COLOURS.length], name = curve.name === curve.run ? curve.run : `${curve.run}: ${curve.name}`;
          const line = { x: curve.epochs, mode: curve.epochs.length < 2 ? "markers" : "lines", legendgroup: name };
          return [{ ...line, y: curve.validation, name, line: { color: colour, width: 2 }, marker: { color: colour } },
            { ...line, y: curve.train, name: `${name}, training`, showlegend: false, line: { color: faint(colour, 0.75), width: 1.5, dash: "dot" }, marker: { color: faint(colour, 0.75) } }];
        });
        let figure = curves.querySelector(".plot");
        if (!figure) {
          figure = h("div", { class: "plot" });
          fill(curves, h("section", { "aria-label": "Learning curves" }, h("h2", {}, "Learning curves"), h("p", { class: "hint" }, "Solid: loss on validation. Dotted: on training."), figure));
        }
        await draw(figure, data, { xaxis: { title: { text: "epoch" }, dtick: Math.max(1, Math.round(Math.max(...all.map((curve) => curve.epochs.length)) / 12)) }, yaxis: { title: { text: "loss" } } }, `Learning curves of ${all.map((curve) => curve.run).join(", ")}`);
      }
    }
    const own = found.find((document) => document.run.name === shown);
    if (own && own.run.state === "unfinished") show_detail(own);
  }

  async function look_at_detail() {
    if (!shown) return;
    try { show_detail(await get(`/v1/runs/${encodeURIComponent(shown)}`)); } catch (error) { fill(detail, note(error.message, "error")); }
  }

  function show_detail(own) {
    const rows = own.leaderboard?.rows?.length;
    const report = own.report ? h("iframe", { title: `Report of ${own.run.name}`, src: `/v1/runs/${encodeURIComponent(own.run.name)}/report`, sandbox: "allow-scripts allow-downloads", loading: "lazy" }) : null;
    refill(detail, h("section", { "aria-label": `Run ${own.run.name}` }, h("h2", {}, own.run.name),
      own.progress && own.run.state === "unfinished" ? progress(own.progress) : null,
      rows ? board(own.leaderboard) : null,
      report ? [h("div", { class: "actions" }, h("h3", {}, "Report"), h("a", { href: `/v1/runs/${encodeURIComponent(own.run.name)}/report`, target: "_blank", rel: "noopener" }, "in a window of its own")), report] : h("p", { class: "hint" }, "There is no report yet.")));
  }

  const jobs_list = follow(jobs, { seen: () => {} });
  look().catch(failed);
  look_at_detail();
  return () => { stopped = true; clearTimeout(timer); jobs_list(); };
}
