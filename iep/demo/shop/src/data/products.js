// What there is to buy.
export const KINDS = [
  { id: "sleep", name: "Sleep" },
  { id: "carry", name: "Carry" },
  { id: "wear", name: "Wear" },
];

export const PRODUCTS = [
  { id: "tarn", kind: "sleep", name: "Tarn tent", line: "Two people, 1.4 kg, up in four minutes", cents: 32900, shape: "tent", hue: 160, badge: "New",
    more: "A tent for two that stands by itself. The outer sheet keeps off a night of rain; the inner one comes out on its own when the sky is clear." },
  { id: "ember", kind: "sleep", name: "Ember lamp", line: "Forty hours of warm light", cents: 4450, shape: "lamp", hue: 32,
    more: "Warm light that reads well and wakes nobody. Charges anything with a plug while it stands on the table." },
  { id: "ridge", kind: "carry", name: "Ridge pack 38", line: "A week's worth, and still cabin luggage", cents: 15900, shape: "pack", hue: 210,
    more: "Thirty-eight litres that open like a suitcase. The back plate bends where you do." },
  { id: "brook", kind: "carry", name: "Brook flask", line: "Cold for a day, hot for a night", cents: 2990, shape: "flask", hue: 190,
    more: "Steel, one litre, and a lid that closes with a gloved hand." },
  { id: "legend", kind: "carry", name: "Legend maps", line: "Twelve paper maps, no battery", cents: 3600, shape: "map", hue: 88,
    more: "Twelve sheets at 1:50,000 on paper that survives a pocket and a shower." },
  { id: "scree", kind: "wear", name: "Scree boots", line: "Resoled for life", cents: 21900, shape: "boot", hue: 18,
    more: "Leather, stitched, and made to be taken apart: we put on new soles for as long as you walk in them." },
  { id: "squall", kind: "wear", name: "Squall jacket", line: "Rain stays outside", cents: 18900, shape: "jacket", hue: 262, badge: "Last ones",
    more: "Three layers, one zip, no membrane that peels. Packs into its own pocket." },
  { id: "dawn", kind: "sleep", name: "Dawn mug", line: "Enamel, for coffee at five", cents: 1450, shape: "mug", hue: 340,
    more: "Enamelled steel that goes on the fire and survives the fall." },
];

export const find = (id) => PRODUCTS.find((product) => product.id === id);
