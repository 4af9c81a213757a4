// How this shop is made; hardly anybody reads it, so it is loaded on its own.
import { html } from "../lib/html.js";

export function Page() {
  return html`
    <section class="sheet">
      <h1>How it is made</h1>
      <p>Every file of this shop is an ES module that the browser loads as it is. Nothing is bundled.</p>
      <p>An import map says which bytes stand behind each name. A ticket changes the names it works on and nothing else,
        so <code>?dev=TKT-001</code> is this shop, live, with only that ticket's modules changed.</p>
      <p>Preact and htm come along as modules too.</p>
    </section>
  `;
}
