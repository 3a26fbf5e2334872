/* The vault's pages work without this file, except for the clipboard and the generator. It puts no markup into a page:
   text goes in as text, so the policy allows no Trusted Types policy at all. No secret is kept in a variable that
   outlives its use. */
"use strict";

const all = (selector, within = document) => within.querySelectorAll(selector);

const say = (element, sentence) => {
  if (element) element.textContent = sentence;
};

/* Forms keep what was typed, secrets too, whatever the server answers: it is never sent back in a page. */

function showErrors(form, errors) {
  for (const old of all(".errorlist", form)) old.remove();
  for (const field of all("[aria-invalid]", form)) field.removeAttribute("aria-invalid");
  const general = [];
  for (const [name, sentences] of Object.entries(errors)) {
    const input = name === "" ? null : form.elements.namedItem(name);
    const place = input instanceof Element && input.type !== "hidden" ? input.closest(".field") : null;
    if (!place) {
      general.push(...sentences);
      continue;
    }
    const list = document.createElement("ul");
    list.className = "errorlist";
    list.id = `${input.id}_error`;
    for (const sentence of sentences) list.appendChild(document.createElement("li")).textContent = sentence;
    place.append(list);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", list.id);
  }
  const problems = form.parentElement.querySelector("[data-problems]");
  problems.replaceChildren(
    ...general.map((sentence) => Object.assign(document.createElement("p"), { textContent: sentence })),
  );
  problems.hidden = general.length === 0;
  (form.querySelector("[aria-invalid]") ?? problems).scrollIntoView({ block: "center" });
  form.querySelector("[aria-invalid]")?.focus();
}

async function submitKept(form) {
  const button = form.querySelector("[type=submit]");
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  let problem = "The server cannot be reached. Nothing was saved, and what you typed is still here: try again.";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
      redirect: "manual",
    });
    if (answer.headers.get("Content-Type")?.startsWith("application/json")) {
      const told = await answer.json();
      if (told.go) {
        form.reset();
        location.assign(told.go);
        return;
      }
      if (told.version) form.elements.namedItem("version").value = told.version;
      showErrors(form, told.errors);
      problem = "";
    } else {
      problem =
        answer.type === "opaqueredirect"
          ? "You were signed out. Nothing was saved, and what you typed is still here: copy what you need, then sign in again."
          : `The server refused it (${answer.status}). Nothing was saved, and what you typed is still here.`;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
  if (problem) showErrors(form, { "": [problem] });
}

for (const form of all("form[data-keep]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submitKept(form);
  });
}

/* The clipboard. The server writes the event of it first, and answers with the text only then. */

async function copy(button) {
  const form = button.form;
  const said = (button.closest("article") ?? document).querySelector("[data-said]");
  const fields = new URLSearchParams(new FormData(form));
  fields.set("part", button.dataset.copy);
  const answer = await fetch(button.dataset.at, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: fields,
    redirect: "manual",
  });
  if (answer.type === "opaqueredirect") {
    location.assign(button.dataset.stepUp);
    return;
  }
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) {
    say(said, `Not copied: the server refused it (${answer.status}).`);
    return;
  }
  const told = await answer.json();
  if (told.text === undefined) {
    say(said, told.sentence);
    return;
  }
  if (told.text === "") {
    say(said, "There is nothing to copy: that part is empty.");
    return;
  }
  await navigator.clipboard.writeText(told.text);
  say(said, "Copied, and recorded. Empty your clipboard when you are done.");
}

if (navigator.clipboard) {
  for (const button of all("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      copy(button).catch(() => {
        say(
          (button.closest("article") ?? document).querySelector("[data-said]"),
          "Not copied: the browser or the network refused. Reveal it instead.",
        );
      });
    });
  }
}

/* The generator: numbers of the browser's own source, without the bias of a remainder. */

const LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // without l, I, 1, O and 0
const SYMBOLS = "!#$%&*+-/=?@^_~";

function below(limit) {
  const most = Math.floor(2 ** 32 / limit) * limit;
  const drawn = new Uint32Array(1);
  do crypto.getRandomValues(drawn);
  while (drawn[0] >= most);
  return drawn[0] % limit;
}

function generate(length, symbols) {
  const alphabet = symbols ? LETTERS + SYMBOLS : LETTERS;
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, ...(symbols ? [/[^a-zA-Z0-9]/] : [])];
  for (;;) {
    // Drawn anew until each kind is in it, which keeps all that pass equally likely.
    const made = Array.from({ length }, () => alphabet[below(alphabet.length)]).join("");
    if (kinds.every((kind) => kind.test(made))) return made;
  }
}

function reveal(button, shown) {
  const input = document.getElementById(button.dataset.show);
  input.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  button.textContent = shown ? "Hide" : "Show";
}

for (const button of all("[data-show]")) {
  button.hidden = false;
  button.addEventListener("click", () => reveal(button, button.getAttribute("aria-pressed") !== "true"));
}

for (const box of all("[data-generator]")) {
  box.hidden = false;
  const input = document.getElementById(box.dataset.generator);
  const length = box.querySelector("[data-length]");
  const symbols = box.querySelector("[data-symbols]");
  box.querySelector("[data-make]").addEventListener("click", () => {
    const wanted = Math.min(128, Math.max(8, Math.round(Number(length.value)) || 20));
    length.value = wanted;
    input.value = generate(wanted, symbols.checked);
    const bits = Math.floor(wanted * Math.log2(LETTERS.length + (symbols.checked ? SYMBOLS.length : 0)));
    say(box.querySelector("[data-said]"), `Made here, in your browser: about ${bits} bits.`);
    const show = document.querySelector(`[data-show="${input.id}"]`);
    if (show) reveal(show, true);
  });
}

/* What was revealed goes when its time is over, and when the page is left: a page kept for "back" holds nothing. */

function wipe(article) {
  for (const secret of all("[data-secret]", article)) secret.textContent = "••••••••";
}

for (const article of all("[data-hide-after]")) {
  const until = performance.now() + Number(article.dataset.hideAfter) * 1000;
  const countdown = article.querySelector("[data-countdown]");
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left <= 0) {
      wipe(article);
      location.replace(article.dataset.hideTo);
      return;
    }
    say(countdown, `in ${left} s`);
    setTimeout(tick, 250);
  };
  tick();
  addEventListener("pagehide", () => wipe(article));
}
