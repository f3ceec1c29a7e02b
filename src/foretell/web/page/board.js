// A leaderboard as far as it is: rows come as rungs are done.

import { h, table } from "./dom.js";

const skill_text = (row) => row.kind === "model" && row.skill
  ? `${(100 * row.skill.value).toFixed(1)} % (${(100 * row.skill.low).toFixed(1)} to ${(100 * row.skill.high).toFixed(1)})` : "";
const verdict = (row) => row.kind === "model" ? h("span", { class: row.verdict }, row.verdict) : "baseline";

export function board(document) {
  const { rows, metric, best, reference } = document;
  const lines = rows.map((row) => h("tr", row.rung === best ? { class: "chosen" } : {},
    h("td", {}, row.rung === best ? h("b", {}, row.rung) : row.rung, row.rung === reference ? h("span", { class: "hint" }, " reference") : null),
    h("td", { class: "number" }, row.text.validation), h("td", { class: "number" }, row.text.test), h("td", { class: "number" }, skill_text(row)),
    h("td", {}, verdict(row)), h("td", { class: "number" }, row.seconds.toFixed(1)), h("td", { class: "number" }, row.parameters.toLocaleString("en"))));
  return table(["rung", `validation ${metric}`, `test ${metric}`, "skill (95 % interval)", "verdict", "seconds", "parameters"], lines,
    { right: [1, 2, 3, 5, 6], caption: "Leaderboard" });
}

/** How far a run is, in words and as a bar. */
export function progress(about) {
  const rungs = about.rungs?.length || 1, done = about.rows?.length ?? 0;
  const inside = about.steps ? ((about.epoch - 1) * about.steps + about.step) / (about.steps * (about.epochs || Math.max(about.epoch, 10))) : 0;
  const share = Math.min(1, (done + Math.min(0.95, inside)) / rungs);
  const epoch = about.epoch ? `, epoch ${about.epoch}${about.epochs ? `/${about.epochs}` : ""}, step ${about.step}/${about.steps}, loss ${about.loss?.toFixed(4)}` : "";
  const text = about.rung ? `${about.rung}${epoch}` : "reading the data";
  const beside = about.under_way?.length > 1 ? ` · ${about.under_way.length} trainings under way` : "";
  return h("div", {}, h("p", {}, `${done} of ${rungs} rungs done · ${text}${beside}`),
    h("div", { class: "bar", role: "progressbar", "aria-label": "How far the comparison is", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": Math.round(100 * share) },
      h("span", { style: `width: ${(100 * share).toFixed(1)}%` })));
}
