// The strip at the top: one sentence that marketing changes often.
import { html } from "../lib/html.js";

export const WORDS = "Free delivery from €60, and thirty days to change your mind.";

export function Banner() {
  return html`<p class="banner" id="banner">${WORDS}</p>`;
}
