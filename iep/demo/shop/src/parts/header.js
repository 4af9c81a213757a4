// Name, ways through the shop, and how full the basket is.
import { html } from "../lib/html.js";
import { useBasket } from "../lib/use.js";
import { KINDS } from "@shop/data/products.js";

export function Header({ place }) {
  const count = useBasket().count();
  const way = (to, words) => html`<a href=${`#${to}`} aria-current=${place === to ? "page" : null}>${words}</a>`;
  return html`
    <header class="top">
      <a class="name" href="#/"><span aria-hidden="true">◭</span> Fernweh</a>
      <nav aria-label="Shop">
        ${way("/", "All")} ${KINDS.map(({ id, name }) => way(`/c/${id}`, name))} ${way("/about", "About")}
      </nav>
      <a class="basket" href="#/basket" aria-label=${`Basket, ${count} ${count === 1 ? "thing" : "things"}`}>
        Basket <span class="count">${count}</span>
      </a>
    </header>
  `;
}
