// All products, or those of one kind.
import { html } from "../lib/html.js";
import { Card } from "../parts/card.js";
import { KINDS, PRODUCTS } from "../data/products.js";

export function Catalogue({ kind }) {
  const chosen = KINDS.find(({ id }) => id === kind);
  const shown = PRODUCTS.filter((product) => !chosen || product.kind === kind);
  return html`
    <section class="hero">
      <h1>${chosen ? chosen.name : "Good things for the road"}</h1>
      <p>${chosen ? `${shown.length} things to ${chosen.name.toLowerCase()} with.` : "Few, light, and made to be repaired."}</p>
    </section>
    <ul class="cards">${shown.map((product) => html`<${Card} key=${product.id} product=${product} />`)}</ul>
  `;
}
