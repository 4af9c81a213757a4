// One product, and the button that puts it into the basket.
import { html } from "../lib/html.js";
import { money } from "@shop/lib/money.js";
import { basket } from "../lib/store.js";
import { useBasket } from "../lib/use.js";
import { Picture } from "../parts/picture.js";
import { find } from "../data/products.js";

export function Product({ id }) {
  const product = find(id);
  const inside = new Map(useBasket().lines()).get(id) ?? 0;
  if (!product) return html`<p class="empty">There is nothing at this address. <a href="#/">See all things</a></p>`;
  return html`
    <article class="product">
      <${Picture} product=${product} />
      <div>
        <h1>${product.name}</h1>
        <p class="line">${product.line}</p>
        <p class="price">${money(product.cents)}</p>
        <p>${product.more}</p>
        <button class="buy" type="button" onClick=${() => basket.put(id)}>Put into the basket</button>
        <p class="line" role="status">${inside ? `${inside} in your basket` : ""}</p>
      </div>
    </article>
  `;
}
