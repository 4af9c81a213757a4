// The way in.
import { render } from "preact";
import { App } from "@shop/app.js";
import { html } from "@shop/lib/html.js";

const place = document.querySelector("#shop");
place.replaceChildren();
render(html`<${App} />`, place);
