// The frame of every page; pages that few people see are loaded when they are asked for.
import { useEffect, useState } from "preact/hooks";
import { html } from "./lib/html.js";
import { usePlace } from "./lib/use.js";
import { Catalogue } from "./pages/catalogue.js";
import { Product } from "./pages/product.js";
import { Banner } from "./parts/banner.js";
import { Footer } from "./parts/footer.js";
import { Header } from "./parts/header.js";

const LATER = {
  "/basket": () => import("@shop/pages/basket.js"),
  "/about": () => import("./pages/about.js"),
};

function Later({ load }) {
  const [page, show] = useState(null);
  useEffect(() => {
    let wanted = true;
    show(null);
    load().then(
      ({ Page }) => wanted && show(() => Page),
      () => wanted && show(() => () => html`<p class="empty" role="alert">This page could not be loaded. Try again.</p>`),
    );
    return () => (wanted = false);
  }, [load]);
  return page ? html`<${page} />` : html`<p class="empty" aria-busy="true">One moment …</p>`;
}

function Page({ place }) {
  if (LATER[place]) return html`<${Later} load=${LATER[place]} />`;
  if (place.startsWith("/p/")) return html`<${Product} id=${place.slice(3)} />`;
  return html`<${Catalogue} kind=${place.startsWith("/c/") ? place.slice(3) : ""} />`;
}

export function App() {
  const place = usePlace();
  return html`
    <${Banner} />
    <${Header} place=${place} />
    <main id="content"><${Page} place=${place} /></main>
    <${Footer} />
  `;
}
