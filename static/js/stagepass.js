// What the pages gain with JavaScript: dialogs, keyboard, drafts, live refresh. Reading and deciding work without it.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.replace("no-js", "js");

  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const meta = (name) => find(`meta[name="${name}"]`)?.content ?? "";
  const cookie = (name) => document.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  const announce = (words) => { const place = find("#announcer"); if (place) place.textContent = words; };

  // Toasts ------------------------------------------------------------------------------------------------------------
  const TOAST_SECONDS = 9;
  function ageToast(toast) {
    if (toast.dataset.aging) return;
    toast.dataset.aging = "1";
    let left = TOAST_SECONDS;
    const timer = setInterval(() => {
      if (toast.matches(":hover, :focus-within") || toast.classList.contains("tone--red")) return;
      if ((left -= 1) <= 0) { clearInterval(timer); toast.remove(); }
    }, 1000);
  }
  function toast(words, tone = "blue", address = "") {
    const place = find("#toasts");
    if (!place) return;
    const box = document.createElement("div");
    box.className = `toast tone--${tone}`;
    box.dataset.toast = "";
    const text = document.createElement(address ? "a" : "div");
    text.className = "toast__text";
    text.textContent = words;
    if (address) text.href = address;
    box.append(text);
    place.append(box);
    while (place.children.length > 4) place.firstElementChild.remove();
    ageToast(box);
  }

  // Dialogs -----------------------------------------------------------------------------------------------------------
  function open(id) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return Boolean(dialog);
    dialog.showModal();
    find("textarea, input:not([type=hidden])", dialog)?.focus();
    return true;
  }
  document.addEventListener("click", (event) => {
    const target = event.target;
    if (!(target instanceof Element)) return;
    const opener = target.closest("[data-opens]");
    if (opener && !event.metaKey && !event.ctrlKey && !event.shiftKey && open(opener.dataset.opens)) {
      opener.closest("details.menu")?.removeAttribute("open");
      event.preventDefault();
      return;
    }
    const closer = target.closest("[data-closes]");
    const dialog = target.closest("dialog");
    if (closer && dialog) { event.preventDefault(); dialog.close(); }
    else if (dialog && target === dialog && !isInside(event, dialog)) dialog.close();
    target.closest("[data-dismiss]")?.closest("[data-toast]")?.remove();
    const risky = target.closest("[data-confirm]");
    if (risky && !window.confirm(risky.dataset.confirm)) event.preventDefault();
    const copy = target.closest("[data-copy]");
    if (copy) { event.preventDefault(); copyText(copy); }
    for (const menu of all("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  });
  const isInside = (event, box) => {
    const edge = box.getBoundingClientRect();
    return event.clientX >= edge.left && event.clientX <= edge.right && event.clientY >= edge.top && event.clientY <= edge.bottom;
  };
  document.addEventListener("close", (event) => {
    if (event.target instanceof HTMLDialogElement) refreshStale();
  }, true);

  async function copyText(button) {
    try { await navigator.clipboard.writeText(button.dataset.copy); }
    catch { return toast("Copying is not allowed here. Select the text instead.", "amber"); }
    button.dataset.copied = "";
    announce("Copied");
    setTimeout(() => delete button.dataset.copied, 1500);
  }

  // Times -------------------------------------------------------------------------------------------------------------
  const UNITS = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];
  function relative(moment) {
    const seconds = (Date.now() - moment) / 1000;
    const unit = UNITS.find(([size]) => Math.abs(seconds) >= size);
    if (!unit) return seconds >= 0 ? "just now" : "in a moment";
    const count = Math.floor(Math.abs(seconds) / unit[0]);
    const words = `${count} ${unit[1]}${count === 1 ? "" : "s"}`;
    return seconds >= 0 ? `${words} ago` : `in ${words}`;
  }
  function tellTimes() {
    for (const time of all("time[datetime]")) {
      const moment = Date.parse(time.dateTime);
      const words = Number.isNaN(moment) ? "" : relative(moment);
      if (words && time.textContent !== words) time.textContent = words;
    }
  }

  // Forms -------------------------------------------------------------------------------------------------------------
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method !== "post") return;
    // Signing in or out in another tab changes the token; the cookie always has the current one.
    const token = find("input[name=csrfmiddlewaretoken]", form);
    if (token && cookie("csrftoken")) token.value = cookie("csrftoken");
    if (form.dataset.draft) sessionStorage.setItem("draft-sent", draftKey(form));
    if (!("once" in form.dataset) || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent && Date.now() - Number(form.dataset.sent) < 15000) { event.preventDefault(); return; }
    form.dataset.sent = String(Date.now());
    for (const button of all("button:not([type=button])", form)) button.dataset.busy = "";
  });
  window.addEventListener("pageshow", () => {
    for (const form of all("form[data-sent]")) delete form.dataset.sent;
    for (const button of all("[data-busy]")) delete button.dataset.busy;
  });
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field instanceof HTMLSelectElement && field.closest("[data-filters]")) submitFilters(field.form);
  });
  // A shared address should not carry empty parts.
  function submitFilters(form) {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
    form.requestSubmit();
  }
  document.addEventListener("submit", (event) => {
    if (event.target instanceof Element && event.target.matches("[data-filters]")) {
      for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
    }
  });
  window.addEventListener("pageshow", () => {
    for (const field of all("[data-filters] :disabled")) field.disabled = false;
  });

  // Drafts: what was typed outlives an ended session, a crash and the Back button, in this tab and for this person ----------
  const draftKey = (form) => `draft:${meta("stagepass-person")}:${form.dataset.draft}`;
  const typedFields = (form) => [...form.elements].filter((field) => field.name && field.type !== "hidden" && !(field instanceof HTMLButtonElement));
  function saveDraft(form) {
    const draft = typedFields(form).map((field) => [field.name, field.type === "checkbox" || field.type === "radio" ? field.value : "", field.type === "checkbox" || field.type === "radio" ? field.checked : field.value]);
    try { sessionStorage.setItem(draftKey(form), JSON.stringify(draft)); } catch { /* storage may be full or off */ }
  }
  function restoreDraft(form) {
    const kept = sessionStorage.getItem(draftKey(form));
    if (!kept || "draftFresh" in form.dataset) return;
    let changed = false;
    for (const [name, choice, value] of JSON.parse(kept)) {
      for (const field of typedFields(form)) {
        if (field.name !== name) continue;
        if (typeof value === "boolean") {
          if (field.value === choice && field.checked !== value) { field.checked = value; changed = true; }
        } else if (field.value !== value) { field.value = value; changed = true; }
      }
    }
    const note = find("[data-draft-note]", form);
    if (changed && note) note.hidden = false;
  }
  document.addEventListener("input", (event) => {
    const form = event.target instanceof Element ? event.target.closest("form[data-draft]") : null;
    if (form) saveDraft(form);
  });
  document.addEventListener("click", (event) => {
    const discard = event.target instanceof Element ? event.target.closest("[data-draft-discard]") : null;
    if (!discard) return;
    sessionStorage.removeItem(draftKey(discard.closest("form")));
    location.replace(location.pathname + location.search);
  });

  // Ticking several rows --------------------------------------------------------------------------------------------------
  function countTicked() {
    const bar = find("[data-bulk]");
    if (!bar) return;
    const ticked = all(`input[form="${bar.id}"]:checked`).length;
    bar.hidden = ticked === 0;
    find("[data-bulk-count]", bar).textContent = `${ticked} ticked`;
  }
  document.addEventListener("change", (event) => {
    if (event.target instanceof Element && event.target.matches("input[form]")) countTicked();
  });

  // Board: a card is dragged to a column that its ticket may go to, or moved by its menu (m) ---------------------------------
  let dragged = null;
  const targetsOf = (card) => new Map((card?.dataset.targets ?? "").split(" ").filter(Boolean).map((pair) => pair.split(":")));
  const columnAt = (target) => target instanceof Element ? target.closest("[data-column][data-allowed]") : null;
  function endDrag() {
    for (const mark of ["dragging", "dragged", "allowed", "over"]) for (const part of all(`[data-${mark}]`)) delete part.dataset[mark];
    dragged = null;
    refreshStale();
  }
  document.addEventListener("dragstart", (event) => {
    const card = event.target instanceof Element ? event.target.closest("[data-targets][draggable]") : null;
    if (!card) return;
    dragged = card;
    card.dataset.dragged = "";
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", card.dataset.href);
    const board = card.closest("[data-board]");
    const targets = targetsOf(card);
    board.dataset.dragging = "";
    for (const column of all("[data-column]", board)) if (targets.has(column.dataset.column)) column.dataset.allowed = "";
  });
  document.addEventListener("dragover", (event) => {
    const column = dragged && columnAt(event.target);
    for (const other of all("[data-over]")) if (other !== column) delete other.dataset.over;
    if (!column) return;
    event.preventDefault();
    column.dataset.over = "";
  });
  document.addEventListener("drop", (event) => {
    const column = dragged && columnAt(event.target);
    if (!column) return;
    event.preventDefault();
    moveCard(dragged, targetsOf(dragged).get(column.dataset.column));
  });
  document.addEventListener("dragend", endDrag);
  // What takes a reason is asked on its own page.
  function moveCard(card, verb) {
    const address = `${card.dataset.href}${verb}/`;
    if (verb === "decline" || !window.htmx) return location.assign(address);
    card.dataset.sent = "";
    const prefix = verb.replaceAll("-", "_");
    window.htmx.ajax("POST", address, { source: "#move", swap: "none", values: { board: "1", [`${prefix}-version`]: card.dataset.version } });
  }
  document.addEventListener("stagepass:say", (event) => { toast(event.detail.words, event.detail.tone); announce(event.detail.words); });
  document.addEventListener("stagepass:moved", () => { const part = find("#tickets"); if (part) window.htmx?.trigger(part, "stagepass:changed"); });
  document.addEventListener("click", (event) => {
    const move = event.target instanceof Element ? event.target.closest("[data-moves] a") : null;
    if (!move || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    moveCard(move.closest("[data-targets]"), move.pathname.split("/").at(-2));
  });
  function openMoves(row) {
    const menu = row && find("[data-moves]", row);
    if (!menu) return;
    menu.open = true;
    find("a", menu)?.focus();
  }

  // Keyboard --------------------------------------------------------------------------------------------------------------
  const rows = () => all("[data-row]");
  const chosen = () => find("[data-row][data-selected]");
  function choose(step) {
    const list = rows();
    if (!list.length) return;
    const at = list.indexOf(chosen());
    const next = list[Math.max(0, Math.min(list.length - 1, at === -1 ? (step > 0 ? 0 : list.length - 1) : at + step))];
    for (const row of list) delete row.dataset.selected;
    next.dataset.selected = "";
    next.scrollIntoView({ block: "nearest" });
    find("a[href]", next)?.focus({ preventScroll: true });
  }
  function decide(key) {
    const row = chosen();
    const address = row && (key === "a" ? row.dataset.approve : row.dataset.reject);
    if (address) { location.assign(address); return true; }
    const button = find(`[data-key="${key}"]`);
    if (button) { button.click(); return true; }
    return false;
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || event.isComposing) return;
    const target = event.target;
    if (target instanceof Element && target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")) {
      if (event.key === "Escape" && target.matches("[type=search]")) target.blur();
      return;
    }
    if (find("dialog[open]")) return;
    const row = chosen();
    const actions = {
      j: () => choose(1),
      k: () => choose(-1),
      x: () => find("input[type=checkbox]", row ?? document.createElement("i"))?.click(),
      "/": () => { const search = find('[data-key="/"]'); search?.focus(); search?.select(); },
      "?": () => open("shortcuts"),
      a: () => decide("a"),
      r: () => decide("r"),
      c: () => find('[data-key="c"]')?.click(),
      m: () => openMoves(row),
    };
    if (event.key === "Enter" && row && !(target instanceof Element && target.matches("a, button, summary"))) location.assign(row.dataset.href);
    if (event.key === "Escape") for (const menu of all("details.menu[open]")) menu.open = false;
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
  });

  // Live: parts with data-live="type" or data-live="type:id" refresh when a fact about them arrives -------------------------------
  const FALLBACK_SECONDS = 10;
  const stale = new Set();
  const concerns = (part, type, subject) => part.dataset.live.split(" ").some((topic) => topic === "*" || topic === type || topic === `${type}:${subject}`);
  const busy = (part) => Boolean(find("dialog[open], [data-dragged], [data-moves][open]", part)) || (part.contains(document.activeElement) && document.activeElement.matches("textarea, input:not([type=checkbox])"));
  // A part with data-live-calm, which any event of a busy pipeline concerns, refreshes at most every five seconds.
  const CALM_SECONDS = 5;
  const calmUntil = new Map();
  function tooSoon(part) {
    if (!("liveCalm" in part.dataset)) return false;
    const rest = (calmUntil.get(part.id) ?? 0) - Date.now();
    if (rest > 0) { setTimeout(refreshStale, rest + 50); return true; }
    calmUntil.set(part.id, Date.now() + CALM_SECONDS * 1000);
    return false;
  }
  function refresh(part) {
    if (busy(part) || tooSoon(part)) { stale.add(part); return; }
    stale.delete(part);
    window.htmx?.trigger(part, "stagepass:changed");
  }
  function refreshStale() { for (const part of [...stale]) if (part.isConnected && !busy(part)) refresh(part); else if (!part.isConnected) stale.delete(part); }
  document.addEventListener("focusout", () => setTimeout(refreshStale, 300));
  let waiting = null;
  const due = new Set();
  function changed(type, subject) {
    for (const part of all("[data-live]")) if (concerns(part, type, subject)) due.add(part);
    // Several facts at once are one refresh.
    waiting ??= setTimeout(() => { waiting = null; for (const part of due) if (part.isConnected) refresh(part); due.clear(); }, 250);
  }
  function refreshAll() { for (const part of all("[data-live]")) refresh(part); }

  // Facts of others that people wait for, as said in a toast; what the page itself shows needs none.
  const NEWS = {
    "promotion.created": ["blue", "asks for approval"],
    "promotion.approved": ["green", "was approved"],
    "promotion.rejected": ["red", "was rejected"],
    "deployment.succeeded": ["green", "is deployed"],
    "deployment.failed": ["red", "failed to deploy"],
  };
  let toldAt = 0;
  function tell(fact) {
    const news = NEWS[fact.type];
    if (!news || fact.actor === meta("stagepass-email") || Date.now() - toldAt < 3000) return;
    if (all("[data-live]").some((part) => concerns(part, fact.subjectType, fact.subject))) return;
    toldAt = Date.now();
    toast(`${fact.label} ${news[1]}`, news[0], fact.subjectType === "promotion" ? `/requests/${encodeURIComponent(fact.subject)}/` : "");
  }
  const POSITION = "live-position";
  function hear(message) {
    let fact;
    try { fact = JSON.parse(message.data); } catch { return; }
    if (Number.isInteger(fact.sequence)) sessionStorage.setItem(POSITION, String(fact.sequence));
    changed(fact.subjectType ?? "", fact.subject ?? "");
    changed("activity", "");
    tell(fact);
    document.body.dispatchEvent(new CustomEvent("stagepass:fact", { detail: fact }));
  }
  // The stream goes on from the last fact this tab heard, so nothing between two pages is missed.
  function connect(address) {
    const banner = find("#connection");
    const after = sessionStorage.getItem(POSITION);
    const source = new EventSource(after ? `${address}?after=${after}` : address);
    let lost = null;
    const heal = () => {
      clearTimeout(lost);
      lost = null;
      if (banner && !banner.hidden && !signedOut) { banner.hidden = true; refreshAll(); announce("Connected again"); }
    };
    let again = null;
    let next = null;
    const leave = () => { clearTimeout(lost); clearTimeout(again); source.close(); next?.(); };
    const on = source.addEventListener.bind(source);
    on("open", heal);
    on("hello", (message) => {
      heal();
      try { if (!after) sessionStorage.setItem(POSITION, String(JSON.parse(message.data).sequence)); } catch { /* not for us */ }
    });
    on("fact", hear);
    on("reload", (message) => {
      if (message.lastEventId) sessionStorage.setItem(POSITION, message.lastEventId);
      refreshAll();
    });
    on("bye", (message) => {
      if (!message.data.includes("restart")) { leave(); if (message.data.includes("signed_out")) tellSignedOut(); }
    });
    on("error", () => {
      // Short gaps heal by themselves and are not worth a word.
      lost ??= setTimeout(() => { if (banner && !signedOut) banner.hidden = false; }, 2500);
      // The browser itself tries again after a lost connection, but not after a refusal such as 503.
      if (source.readyState === EventSource.CLOSED && !signedOut && !again) again = setTimeout(() => { next = connect(address); }, 5000 + 5000 * Math.random());
    });
    return leave;
  }
  // Browsers allow few connections to one host: a tab that nobody looks at lets its stream go and catches up later.
  const HIDDEN_SECONDS = 20;
  function keepConnected(address) {
    let leave = connect(address);
    let leaving = null;
    const away = () => { leave?.(); leave = null; };
    const back = () => { clearTimeout(leaving); if (!leave && !signedOut) leave = connect(address); };
    document.addEventListener("visibilitychange", () => {
      clearTimeout(leaving);
      if (document.hidden) leaving = setTimeout(away, HIDDEN_SECONDS * 1000);
      else back();
    });
    window.addEventListener("pagehide", away);
    window.addEventListener("pageshow", (event) => { if (event.persisted) { back(); refreshAll(); } });
  }
  function startLive() {
    const address = meta("stagepass-live");
    if (address && "EventSource" in window) {
      keepConnected(address);
    }
    setInterval(() => {
      if (document.hidden) return;
      for (const part of all(address ? "[data-live-running]" : "[data-live-running], [data-live-poll]")) refresh(part);
    }, FALLBACK_SECONDS * 1000);
  }

  // HTMX --------------------------------------------------------------------------------------------------------------
  document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRFToken"] = cookie("csrftoken"); });
  // A part that cannot be had any more is not asked for again and again.
  document.addEventListener("htmx:beforeRequest", (event) => { if (signedOut && event.detail.requestConfig.verb === "get") event.preventDefault(); });
  let openFolds = [];
  document.addEventListener("htmx:beforeSwap", () => { openFolds = all("details[id][open]").map((fold) => fold.id); });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of openFolds) document.getElementById(id)?.setAttribute("open", "");
    settle();
  });
  let signedOut = false;
  function tellSignedOut() {
    const banner = find("#connection");
    if (!banner || signedOut) return;
    signedOut = true;
    banner.hidden = false;
    const words = find("[data-words]", banner);
    words.textContent = "You were signed out. What you typed is kept. ";
    const link = document.createElement("a");
    link.href = `/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = "Sign in again";
    words.append(link);
  }
  document.addEventListener("stagepass:signed-out", tellSignedOut);
  document.addEventListener("htmx:sendError", () => announce("The server does not answer. It is tried again."));
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status !== 401 && event.detail.requestConfig.verb !== "get") toast("That did not work. Nothing was changed; try again in a moment.", "red");
  });

  function settle() {
    tellTimes();
    countTicked();
    for (const box of all("[data-toast]")) ageToast(box);
    for (const log of all("[data-follow]")) log.scrollTop = log.scrollHeight;
  }
  document.addEventListener("DOMContentLoaded", () => {
    const sent = sessionStorage.getItem("draft-sent");
    if (sent && "clearsDrafts" in document.body.dataset) { sessionStorage.removeItem(sent); sessionStorage.removeItem("draft-sent"); }
    for (const form of all("form[data-draft]")) restoreDraft(form);
    find("[data-focus]")?.focus();
    settle();
    startLive();
    setInterval(tellTimes, 20000);
  });
})();
