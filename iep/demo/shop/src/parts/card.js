// One product among others.
import { html } from "../lib/html.js";
import { money } from "../lib/money.js";
import { Picture } from "./picture.js";

export function Card({ product }) {
  const { id, name, line, cents, badge } = product;
  return html`
    <li class="card">
      <a href=${`#/p/${id}`}>
        <${Picture} product=${product} />
        ${badge && html`<span class="badge">${badge}</span>`}
        <span class="title">${name}</span>
        <span class="line">${line}</span>
        <span class="price">${money(cents)}</span>
      </a>
    </li>
  `;
}
