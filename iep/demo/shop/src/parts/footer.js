// The end of every page.
import { html } from "../lib/html.js";

export function Footer() {
  return html`
    <footer class="end">
      <p>Fernweh is a demonstration: nothing is sold here, and nothing you do leaves this browser.</p>
      <p><a href="#/about">How it is made</a></p>
    </footer>
  `;
}
