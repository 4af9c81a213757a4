// What it costs to send an order of that many cents.
export const FREE_FROM = 6000;

export const delivery = (cents) => (cents >= FREE_FROM ? 0 : 490);
