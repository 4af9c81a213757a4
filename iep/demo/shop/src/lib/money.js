// Prices are whole cents; people read them in their own way of writing.
const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

export const money = (cents) => euros.format(cents / 100);
