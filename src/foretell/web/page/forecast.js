// Forecast: a file, its health and its picture, a comparison as a job, the forecast of the best model.

import { get, get_text, model, post_csv, send } from "./api.js";
import { board, progress } from "./board.js";
import { drop, field, fill, h, note, number_text, refill, save, select, table, tell } from "./dom.js";
import { follow, start } from "./jobs.js";
import { COLOURS, draw, faint } from "./plots.js";

const LADDERS = [["persistence,seasonal,climatology,ridge,gru", "quick: baselines and a GRU"],
  ["persistence,seasonal,climatology,ridge,mlp,gru,gru-change,lstm", "usual: some networks"], ["", "all rungs: takes long"]];
const SERIES_SHOWN = 4, BEHIND = 5;
const query = (about) => new URLSearchParams(Object.entries(about).filter(([, value]) => value)).toString();

export function open(place) {
  const jobs = h("div", {}), data = h("div", {}), health = h("div", {}), options = h("div", {}), running = h("div", {}), result = h("div", {});
  let stopped = false, current = null, watched = sessionStorage.getItem("forecast-run"), timer = null, loaded = "", known_jobs = null;
  fill(place, h("h1", {}, "Forecast"), h("p", { class: "lead" }, "From a table of yours to a model that has beaten an honest baseline, or has not."), data, health, options, running, result, jobs);

  async function show_data(chosen) {
    const { data: known } = await get("/v1/data");
    const list = select([["", "choose ..."], ...known.map((own) => [own.id, own.summary ? `${own.name}: ${own.summary}` : own.name])], chosen ?? "",
      () => list.value && choose(list.value));
    fill(data, h("section", { "aria-label": "Data" }, h("h2", {}, "1. Data"),
      drop("CSV (plain, gzip, zip) or Parquet, with a column of times.", ".csv,.gz,.zip,.parquet,.tsv,.txt", upload), h("p", {}),
      field("Or data at hand", list)));
  }

  async function upload(file) {
    try {
      tell(`${file.name} is on its way.`);
      const own = await send(`/v1/data?${query({ name: file.name })}`, file);
      await show_data(own.id);
      await choose(own.id);
    } catch (error) { fill(health, note(error.message, "error")); }
  }

  async function choose(id, named = {}) {
    fill(health, h("p", { class: "hint" }, "Looking at the file ..."));
    fill(options);
    let found;
    try { found = await get(`/v1/data/${id}/health?${query({ task: "forecast", ...named })}`); } catch (error) {
      fill(health, h("section", { "aria-label": "Health" }, h("h2", {}, "2. Health"), note(error.message, "error"), otherwise(id, named, true)));
      return;
    }
    // What the first look asks for, as a column that tells series apart, the second look has.
    const asked = Object.fromEntries(["series", "missing"].filter((name) => found.proposed?.[name] && !(name in named)).map((name) => [name, [found.proposed[name]].flat()[0]]));
    if (Object.keys(asked).length) { await choose(id, { ...named, ...asked }); return; }
    current = { id, named, found };
    const picture = h("div", { class: "plot low" });
    const column = found.proposed?.target ?? found.columns?.[0]?.name;
    const marks = found.findings.map((finding) => note(`${finding.severity}: ${finding.message}`, finding.severity));
    fill(health, h("section", { "aria-label": "Health" }, h("h2", {}, "2. Health"), h("p", {}, found.lead),
      named.series ? h("p", { class: "hint" }, `Series are told apart by "${named.series}".`) : null, marks, picture,
      found.columns ? h("details", {}, h("summary", {}, `${found.columns.length} columns`), table(["column", "missing", "lowest", "mean", "highest"],
        found.columns.map((own) => [own.name, String(own.missing), number_text(own.lowest, 4), number_text(own.mean, 4), number_text(own.highest, 4)]), { right: [1, 2, 3, 4], caption: "Columns" })) : null));
    health.querySelector("section").append(otherwise(id, named, !found.healthy));
    if (column) look_at(column, picture);
    if (found.healthy) show_options(found, picture);
  }

  /** How else the file could be read, for what the health check asks about. */
  function otherwise(id, named, wanted) {
    const time = h("input", { value: named.time ?? "" }), zone = h("input", { value: named.timezone ?? "" }), series = h("input", { value: named.series ?? "" }), missing = h("input", { value: named.missing ?? "" });
    const duplicates = select([["", "are an error"], ["first", "the first counts"], ["last", "the last counts"], ["mean", "their mean counts"]], named.duplicates ?? "");
    const again = (event) => {
      event.preventDefault();
      const chosen = { time: time.value, timezone: zone.value, series: series.value, missing: missing.value, duplicates: duplicates.value };
      choose(id, chosen);
    };
    return h("details", { open: wanted }, h("summary", {}, "Read it otherwise"), h("form", { onsubmit: again }, h("div", { class: "fields" },
      field("Column of times", time, "Found where empty."), field("Zone of local times", zone, "Such as Europe/Berlin."), field("Column that tells series apart", series),
      field("Stands for missing", missing, "Such as -9999."), field("Rows of one time that disagree", duplicates)),
    h("div", { class: "actions" }, h("button", { class: "quiet" }, "Look again"))));
  }

  async function look_at(column, picture) {
    try {
      const figure = await get(`/v1/data/${current.id}/picture?${query({ column, ...current.named })}`);
      const traces = figure.data.map((trace, at) => ({ ...trace, line: { width: 1.2, color: COLOURS[at % COLOURS.length] } }));
      await draw(picture, traces, { yaxis: { title: { text: column } }, showlegend: figure.data.length > 1 }, `${column} over time`);
    } catch (error) { fill(picture, note(error.message, "error")); }
  }

  function show_options(found, picture) {
    const proposed = found.proposed;
    const target = select(found.columns.map((own) => own.name), proposed.target, () => look_at(target.value, picture));
    const lookback = h("input", { value: proposed.lookback }), every = h("input", { value: proposed.every }), ahead = h("input", { value: proposed.ahead });
    const ladder = select(LADDERS, LADDERS[0][0]), epochs = h("input", { type: "number", min: "1", max: "1000", value: "10" });
    const failed = h("div", {});
    const begin = async (event) => {
      event.preventDefault();
      fill(failed);
      try {
        const wish = { target: target.value, lookback: lookback.value, every: every.value, ahead: ahead.value, epochs: Number(epochs.value), intervals: [0.8], ...Object.fromEntries(Object.entries(current.named).filter(([, value]) => value)) };
        if (ladder.value) wish.rungs = ladder.value;
        const job = await start({ task: "forecast", data: current.id, options: wish });
        const read = Object.fromEntries(Object.entries(current.named).filter(([, value]) => value));
        sessionStorage.setItem(`data-of-${job.run}`, JSON.stringify({ id: current.id, named: read }));
        known_jobs = [job, ...(known_jobs ?? [])];
        watch(job.run);
        jobs_list.look();
      } catch (error) { fill(failed, note(error.message, "error")); }
    };
    fill(options, h("section", { "aria-label": "Comparison" }, h("h2", {}, "3. Compare"), h("form", { onsubmit: begin },
      h("div", { class: "fields" }, field("Target", target, "What is forecast."), field("Lookback", lookback, "How far back a window reads."),
        field("Every", every, "The step at which it reads."), field("Ahead", ahead, "How far in the future; 1:24 is each of 24 rows."), field("Rungs", ladder), field("Epochs", epochs)),
      failed, h("div", { class: "actions" }, h("button", {}, "Start the comparison")))));
  }

  function watch(run) {
    watched = run;
    loaded = "";
    sessionStorage.setItem("forecast-run", run);
    fill(result);
    follow_run();
  }

  async function follow_run() {
    clearTimeout(timer);
    if (!watched || stopped) return;
    // A job waits in the queue, and reads its data, before there is a run to look at.
    const job = known_jobs?.find((own) => own.run === watched);
    if (!known_jobs || (job && !job.begun)) {
      const over = job && !["waiting", "running"].includes(job.state);
      refill(running, job ? h("section", { "aria-label": "Progress" }, h("h2", {}, `4. ${watched}`),
        over ? note(job.error?.message ?? `It was ${job.state}.`, "error") : h("p", {}, job.state === "waiting" ? "Waits in the queue." : "Reads its data.")) : null);
      if (!over) timer = setTimeout(follow_run, 500);
      return;
    }
    let next = 1000;
    try {
      const own = await get(`/v1/runs/${encodeURIComponent(watched)}`);
      if (stopped) return;
      const done = own.run.state === "done";
      refill(running, h("section", { "aria-label": "Progress" }, h("h2", {}, `4. ${watched}`),
        done ? h("p", {}, "Done. ", h("a", { href: `#runs/${encodeURIComponent(watched)}` }, "Curves and report")) : progress(own.progress ?? {}),
        own.leaderboard?.rows?.length ? board(own.leaderboard) : null));
      if (done) {
        if (loaded !== watched) { loaded = watched; show_result(watched); }
        return;
      }
    } catch (error) {
      if (stopped) return;
      if (error.status === 404) return forget();
      fill(running, h("section", {}, h("h2", {}, `4. ${watched}`), note(error.message, "error")));
      next = 3000;
    }
    timer = setTimeout(follow_run, next);
  }

  async function show_result(run) {
    const waiting = h("p", { class: "hint" }, "The model is read, and asked ...");
    const place = h("section", { "aria-label": "Forecast" }, h("h2", {}, "5. Forecast"), waiting);
    fill(result, place);
    try {
      const about = await get(model(run));
      const kept = JSON.parse(sessionStorage.getItem(`data-of-${run}`) ?? "null") ?? await data_of(run);
      if (!kept) return waiting.replaceWith(h("p", {}, "The data of this run are not among those that the page keeps."));
      const behind = about.inputs.rows_needed + about.inputs.ahead[1] * BEHIND;
      const csv = await get_text(`/v1/data/${kept.id}/tail?${query({ rows: String(behind), ...kept.named })}`);
      const reply = await post_csv(run, csv, "application/json");
      waiting.remove();
      for (const warning of reply.warnings) place.append(note(warning, "warning"));
      const figure = h("div", { class: "plot" });
      place.append(h("p", { class: "hint" }, `${about.rung} from the last rows${about.inputs.intervals.length ? `; the band holds ${about.inputs.intervals.map((own) => `${100 * own} %`).join(", ")} of what came on validation` : ""}.`), figure,
        h("div", { class: "actions" }, h("button", { type: "button", onclick: async () => save(await post_csv(run, csv, "text/csv"), `${run}-forecast.csv`, "text/csv") }, "Download as CSV")),
        h("details", {}, h("summary", {}, "As a table"), table(Object.keys(reply.rows[0] ?? {}), reply.rows.map((row) => Object.values(row).map((value) => typeof value === "number" ? number_text(value, 5) : String(value ?? ""))), { caption: "Forecasts" })));
      await draw_forecast(figure, reply, csv, about);
    } catch (error) { waiting.remove(); place.append(note(error.message, "error")); }
  }

  async function data_of(run) {
    const { jobs: known } = await get("/v1/jobs");
    const job = known.find((own) => own.run === run && own.data);
    if (!job) return null;
    const named = Object.fromEntries(["time", "timezone", "series", "missing", "duplicates"].filter((name) => job.options[name]).map((name) => [name, String([job.options[name]].flat()[0])]));
    return { id: job.data, named };
  }

  /** A run that was deleted is looked at no more. */
  function forget() {
    watched = null;
    sessionStorage.removeItem("forecast-run");
    fill(running);
  }

  const jobs_list = follow(jobs, { task: "forecast", seen: (known) => {
    known_jobs = known;
    if (!watched && known.length && ["waiting", "running"].includes(known[0].state)) watch(known[0].run);
  } });
  show_data().catch((error) => fill(data, note(error.message, "error")));
  follow_run();
  return () => { stopped = true; clearTimeout(timer); jobs_list(); };
}

/** The last rows of the first target, its forecast, and the interval around it. */
export async function draw_forecast(figure, reply, csv, about) {
  const target = reply.targets[0], { time, series } = about.inputs;
  const known = rows_of(csv);
  const names = series ? [...new Set(reply.rows.map((row) => row[series]))].slice(0, SERIES_SHOWN) : [null];
  const level = about.inputs.intervals[0];
  const traces = names.flatMap((name, at) => {
    const colour = COLOURS[at % COLOURS.length], own = (row) => name === null || row[series] === name;
    const past = known.filter(own), ahead = reply.rows.filter(own), label = name ?? target;
    const clock = (row) => String(row[time]).replace(/([+-]\d\d:?\d\d|Z)$/, "");
    const x = ahead.map(clock), low = `low ${100 * level}% ${target}`, high = `high ${100 * level}% ${target}`;
    const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false };
    const band = level && ahead[0]?.[low] !== undefined ? [{ ...edge, y: ahead.map((row) => row[low]) },
      { ...edge, y: ahead.map((row) => row[high]), fill: "tonexty", fillcolor: faint(colour, 0.2) }] : [];
    return [{ x: past.map(clock), y: past.map((row) => row[target] === "" ? null : Number(row[target])), name: label, mode: "lines", line: { color: colour, width: 1.6 } }, ...band,
      { x, y: ahead.map((row) => row[`forecast ${target}`]), name: `${label}, forecast`, mode: x.length < 2 ? "markers" : "lines", line: { color: colour, width: 2.6, dash: "dash" }, marker: { color: colour, size: 8 } }];
  });
  await draw(figure, traces, { yaxis: { title: { text: target } } }, `${target} and its forecast`);
}

/** The rows of a CSV that the service wrote. */
function rows_of(csv) {
  const lines = csv.trim().split("\n").map((line) => line.match(/("([^"]|"")*"|[^,]*)(,|$)/g).map((cell) => cell.replace(/,$/, "").replace(/^"|"$/g, "").replaceAll('""', '"')));
  const [header, ...rows] = lines;
  return rows.map((row) => Object.fromEntries(header.map((name, at) => [name, row[at] ?? ""])));
}
