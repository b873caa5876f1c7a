// Updates, the theme button and copy buttons. The page works without this; it then shows the moment it was opened.

// ------------------------------------------------------------------ updates

// Make `old` like `next` with as few changes as possible, so that focus, selection and open details stay.
function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || old.id !== next.id) {
    old.replaceWith(next);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE || old.isEqualNode(next)) return;
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !(old.nodeName === "DETAILS" && name === "open")) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    const kept = (old.nodeName === "DETAILS" && name === "open") || (old.classList.contains("copy") && name === "hidden");
    if (!kept && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, next);
}

function children(old, next) {
  const olds = [...old.childNodes], nexts = [...next.childNodes];
  nexts.forEach((child, index) => (index < olds.length ? morph(olds[index], child) : old.append(child)));
  olds.slice(nexts.length).forEach((child) => child.remove());
}

function replace(parts) {
  for (const [name, html] of Object.entries(parts)) {
    const section = document.querySelector(`[data-part="${name}"]`);
    if (!section) continue;
    const template = document.createElement("template");
    template.innerHTML = html; // written by the server, which has escaped what was stored
    children(section, template.content);
  }
  equip();
}

const main = document.querySelector("main[data-live]");
let source = null;
let opened = Number((document.getElementById("units")?.textContent ?? "0").replaceAll(",", ""));

function listen() {
  if (!main || source || document.hidden) return;
  source = new EventSource(main.dataset.live);
  let heard = 0;
  source.addEventListener("update", (event) => {
    const { parts, units } = JSON.parse(event.data);
    replace(parts);
    opened += units - heard;
    heard = units;
    document.getElementById("units").textContent = opened.toLocaleString("en", { maximumFractionDigits: 1 });
    document.body.dataset.state = "live";
  });
  source.addEventListener("end", () => { stop(); delete main.dataset.live; announce("Nothing runs any more."); });
  source.addEventListener("problem", (event) => { stop(); announce(JSON.parse(event.data).text, true); });
  source.onerror = () => { document.body.dataset.state = "lost"; };
}

function stop() {
  source?.close();
  source = null;
  document.body.dataset.state = "";
}

// A hidden page reads nothing.
document.addEventListener("visibilitychange", () => {
  if (!main?.dataset.live) return;
  if (document.hidden) stop(); else listen();
});

function announce(text, visible = false) {
  const line = document.getElementById("announce");
  line.textContent = text;
  line.classList.toggle("sr", !visible);
}

// ------------------------------------------------------------------ buttons and keys

function equip() {
  for (const button of document.querySelectorAll(".copy[hidden]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.(".copy");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    announce("Copied.");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } catch {
    announce("The browser did not allow copying.", true);
  }
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  const field = event.key === "/" && !typing && document.querySelector("[data-shortcut='/'], #prefix");
  if (field) { event.preventDefault(); field.focus(); }
});

const themeButton = document.getElementById("theme");
const themes = { "": "Auto", light: "Light", dark: "Dark" };
function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "";
  themeButton.textContent = `Theme: ${themes[theme]}`;
}
themeButton.addEventListener("click", () => {
  const names = Object.keys(themes);
  const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length];
  if (next) document.documentElement.dataset.theme = next; else delete document.documentElement.dataset.theme;
  try { localStorage.setItem("theme", next); } catch { /* it lasts as long as the page */ }
  showTheme();
});
themeButton.hidden = false;
showTheme();
equip();
listen();
