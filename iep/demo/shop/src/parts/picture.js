// Pictures drawn from a handful of shapes, so that the shop needs no photographs.
import { html } from "../lib/html.js";
import { SHAPES } from "../data/shapes.js";

export function Picture({ product }) {
  const { name, shape, hue } = product;
  return html`
    <svg class="picture" viewBox="0 0 200 150" role="img" aria-label=${name}>
      <rect width="200" height="150" fill=${`hsl(${hue} 45% 90%)`} />
      <circle cx="150" cy="44" r="22" fill=${`hsl(${hue} 70% 80%)`} />
      <path d="M0 128 46 82l30 26 44-52 80 72v22H0Z" fill=${`hsl(${hue} 40% 80%)`} />
      <g fill=${`hsl(${hue} 48% 38%)`} stroke=${`hsl(${hue} 55% 22%)`} stroke-width="2" stroke-linejoin="round">
        ${SHAPES[shape].map((d) => html`<path d=${d} />`)}
      </g>
    </svg>
  `;
}
