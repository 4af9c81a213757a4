// Hooks of the shop: the address after the #, and the basket.
import { useEffect, useState } from "preact/hooks";
import { basket } from "./store.js";

const here = () => location.hash.replace(/^#/, "") || "/";

export function usePlace() {
  const [place, go] = useState(here);
  useEffect(() => {
    const moved = () => {
      go(here());
      scrollTo(0, 0);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return place;
}

export function useBasket() {
  const [, again] = useState(0);
  useEffect(() => basket.listen(() => again((turn) => turn + 1)), []);
  return basket;
}
