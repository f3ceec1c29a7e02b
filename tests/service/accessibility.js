// What those who do not see a page, or not well, would stumble over: names, labels, order, contrast. A list of sentences.
() => {
  const found = [];
  const seen = (element) => element.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true }) && element.getClientRects().length > 0;
  const told = (element) => `<${element.tagName.toLowerCase()}${element.id ? ` id=${element.id}` : ""}${element.className && typeof element.className === "string" ? ` class="${element.className}"` : ""}> ${(element.textContent || "").trim().slice(0, 40)}`;
  const named = (element) => (element.getAttribute("aria-label") || "").trim()
    || (element.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean).map((id) => document.getElementById(id)?.textContent || "").join(" ").trim()
    || [...(element.labels || [])].map((label) => label.textContent).join(" ").trim()
    || (["BUTTON", "A", "SUMMARY"].includes(element.tagName) ? element.textContent.trim() || element.querySelector("img[alt]:not([alt=''])")?.alt || "" : "")
    || element.title;
  if (!document.documentElement.lang) found.push("the page has no language");
  if (!document.title.trim()) found.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) found.push("there is one main part");
  if (document.querySelectorAll("h1").length !== 1) found.push(`there is one first heading; found ${document.querySelectorAll("h1").length}`);
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) found.push(`a heading skips a level: ${told(heading)}`);
    level = own;
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) found.push(`the id ${id} stands twice`);
  for (const element of document.querySelectorAll("input, select, textarea, button, a[href], summary, iframe")) {
    if (seen(element) && !named(element)) found.push(`has no name: ${told(element)}`);
  }
  for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) found.push(`has no alternative: ${told(image)}`);
  for (const graphic of document.querySelectorAll("[role=img], [role=progressbar]")) if (!named(graphic)) found.push(`has no name: ${told(graphic)}`);
  for (const cell of document.querySelectorAll("th")) if (!cell.scope) found.push(`a heading of a table has no scope: ${told(cell)}`);
  for (const element of document.querySelectorAll("[tabindex]")) if (element.tabIndex > 0) found.push(`jumps the order: ${told(element)}`);

  const numbers = (text) => { const parts = text.match(/[\d.]+/g).map(Number); return [parts[0], parts[1], parts[2], parts[3] ?? 1]; };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, place) => a * value + (1 - a) * below[place]);
  const behind = (element) => {
    const layers = [];
    for (let own = element; own; own = own.parentElement) layers.push(numbers(getComputedStyle(own).backgroundColor));
    let colour = [255, 255, 255];
    for (const layer of layers.reverse()) colour = over(layer, colour);
    return colour;
  };
  const light = (colour) => { const [r, g, b] = colour.map((value) => { const share = value / 255; return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const checked = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || checked.has(element) || !seen(element)) continue;
    checked.add(element);
    if (element.closest(":disabled, .plot, svg, option, .visually-hidden, .skip, noscript, script, style")) continue;
    const style = getComputedStyle(element), ground = behind(element), ink = over(numbers(style.color), ground);
    const [one, two] = [light(ink), light(ground)].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${told(element)} ${style.color} on ${ground.map(Math.round)}`);
  }
  return found;
}
