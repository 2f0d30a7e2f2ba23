"use strict";
(() => {
  const name = document.body.dataset.name;
  const result = document.getElementById("result");
  const word = document.getElementById("word");
  const rows = [...document.querySelectorAll("tr[data-hash]")].map((row) => row.dataset);
  // A store hash, alone or in a store path or the name of a narinfo.
  const HASH = /(?:^|\/)([0-9a-df-np-sv-z]{32})(?=$|-|\.narinfo$)/;

  // The mirror's address at the gateway that shows this page. Guix does not follow the
  // redirect of localhost, and a root under /ipfs/ would never change.
  function address({ protocol, hostname, port, pathname }) {
    if (!/^https?:$/.test(protocol)) return null;
    const at = port ? ":" + port : "";
    const local = hostname === "localhost" ? "127.0.0.1" : hostname;
    const folder = pathname.replace(/(\/index\.html)?\/*$/, "");
    const [, label, space, host] = hostname.match(/^([^.]+)\.(ip[fn]s)\.(.+)$/) || [];
    if (host === "localhost") return `${protocol}//127.0.0.1${at}/ipns/${name}`;
    if (host) return `${protocol}//${space === "ipns" ? label : name}.ipns.${host}${at}`;
    if (/^\/ipfs\/[^/]+$/.test(folder)) return `${protocol}//${local}${at}/ipns/${name}`;
    return `${protocol}//${local}${at}${folder}`;
  }

  const own = address(location);
  if (own) {
    document.querySelectorAll(".address").forEach((place) => (place.textContent = own));
    document.getElementById("here").hidden = false;
  }

  function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    made.append(text);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  }

  function show(kind, ...parts) {
    result.className = kind;
    result.replaceChildren(...parts);
  }

  function links(items) {
    const list = element("ul", "");
    items.forEach(({ hash, name }) => {
      const item = element("li", element("a", `${hash}-${name}`, { href: "#" + hash }));
      list.append(item);
    });
    return list;
  }

  function size(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = 0;
    for (; bytes >= 1023.95 && unit + 1 < units.length; unit++) bytes /= 1024;
    return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
  }

  function narinfo(hash, text) {
    const fields = text.split("\n").map((line) => line.match(/^(\w+): ?(.*)$/) || []);
    const all = (key) => fields.filter((field) => field[1] === key).map((field) => field[2]);
    const [path = ""] = all("StorePath");
    if (!path.startsWith(`/gnu/store/${hash}-`)) return null;
    const list = element("dl", "");
    const add = (term, ...parts) => {
      const place = element("dd", "");
      place.append(...parts);
      if (parts.length) list.append(element("dt", term), place);
    };
    add("Store path", element("code", path));
    add("Size", ...all("NarSize").map((bytes) => size(Number(bytes))));
    const nars = all("URL").filter((url) => /^nar\/[^?#]+$/.test(url) && !/(^|\/)\.\.?(\/|$)/.test(url));
    const compressions = all("Compression"), sizes = all("FileSize");
    add("Nar", ...nars.flatMap((url, at) => {
      const bytes = sizes[at] ? `, ${size(Number(sizes[at]))}` : "";
      const link = element("a", (compressions[at] || "nar") + bytes, { href: folder + url });
      return at ? [" · ", link] : [link];
    }));
    const references = all("References").join(" ").split(" ").filter((it) => HASH.test(it));
    const others = references.filter((it) => !it.startsWith(hash));
    add("Refers to", ...(others.length
      ? [links(others.map((it) => ({ hash: it.slice(0, 32), name: it.slice(33) })))]
      : ["nothing else"]));
    const whole = element("details", element("summary", "The narinfo"));
    whole.append(element("pre", text));
    return [list, whole];
  }

  const folder = location.pathname.replace(/(\/index\.html)?\/*$/, "/");
  let asked = 0;

  async function find(hash) {
    const mine = ++asked;
    show("", element("p", "Asking the gateway …"));
    let answer;
    try {
      const response = await fetch(`${folder}${hash}.narinfo`);
      const { ok, status } = response;
      answer = { ok, status, text: ok ? await response.text() : "" };
    } catch {
      answer = { ok: false, status: 0, text: "" };
    }
    if (mine !== asked) return;
    const parts = answer.ok ? narinfo(hash, answer.text) : null;
    if (parts) return show("found", element("p", "It is in this mirror."), ...parts);
    if (answer.status === 404 || answer.status === 410)
      return show("absent", element("p", `${hash} is not in this mirror.`));
    const why = answer.ok ? "what the gateway has there is no narinfo of it"
      : answer.status ? `the gateway answers ${answer.status}` : "the gateway does not answer";
    show("failed", element("p", `${hash}: ${why}, so this page cannot tell. Try again later.`));
  }

  function look(text) {
    const hash = text.match(HASH);
    if (hash) return find(hash[1]);
    asked++;
    if (!text) return show("");
    const wanted = text.toLowerCase().replace("@", "-");
    const named = (row) => row.name.toLowerCase();
    const exact = rows.filter((row) => named(row) === wanted || named(row).startsWith(wanted + "-"));
    const found = exact.length ? exact : rows.filter((row) => named(row).includes(wanted));
    if (found.length === 1) return find(found[0].hash);
    if (found.length) return show("found", element("p", `Among the latest additions:`), links(found));
    show("absent",
      element("p", `No “${text}” is among the latest additions.`),
      element("p", "Older items are found by their store path or hash. “guix build NAME --dry-run” tells it."));
  }

  function turn() {
    let text = location.hash.slice(1);
    try { text = decodeURIComponent(text); } catch { /* It stays as it is. */ }
    word.value = text.trim();
    return look(word.value);
  }

  document.getElementById("search-section").hidden = false;
  document.getElementById("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = word.value.trim();
    const hash = "#" + encodeURIComponent(text);
    if (location.hash === hash || (!text && !location.hash)) look(text);
    else location.hash = hash;
  });
  addEventListener("hashchange", turn);
  turn();
})();
