// One fewer, how many, one more.
import { html } from "../lib/html.js";

export function Amount({ name, amount, change }) {
  return html`
    <span class="amount">
      <button type="button" aria-label=${`One ${name} fewer`} onClick=${() => change(-1)}>−</button>
      <output>${amount}</output>
      <button type="button" aria-label=${`One ${name} more`} onClick=${() => change(1)}>+</button>
    </span>
  `;
}
