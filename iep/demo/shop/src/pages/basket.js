// The basket, loaded when somebody looks into it.
import { html } from "@shop/lib/html.js";
import { money } from "@shop/lib/money.js";
import { useBasket } from "../lib/use.js";
import { find } from "../data/products.js";
import { Amount } from "../parts/amount.js";
import { delivery } from "../lib/delivery.js";

export function Page() {
  const basket = useBasket();
  const lines = basket.lines().flatMap(([id, amount]) => (find(id) ? [{ product: find(id), amount }] : []));
  if (!lines.length) return html`<p class="empty">Your basket is empty. <a href="#/">Find something</a></p>`;
  const sum = lines.reduce((total, { product, amount }) => total + product.cents * amount, 0);
  return html`
    <section class="sheet">
      <h1>Basket</h1>
      <ul class="lines">
        ${lines.map(({ product, amount }) => html`
          <li key=${product.id}>
            <a href=${`#/p/${product.id}`}>${product.name}</a>
            <${Amount} name=${product.name} amount=${amount} change=${(by) => basket.put(product.id, by)} />
            <span class="price">${money(product.cents * amount)}</span>
          </li>
        `)}
      </ul>
      <dl class="sums">
        <dt>Delivery</dt><dd>${delivery(sum) ? money(delivery(sum)) : "free"}</dd>
        <dt>Together</dt><dd class="price" id="total">${money(sum + delivery(sum))}</dd>
      </dl>
      <button class="buy quiet" type="button" onClick=${() => basket.empty()}>Empty the basket</button>
    </section>
  `;
}
