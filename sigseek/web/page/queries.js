// How the page itself adds terms to a query and takes them away, in the query language. Values are
// spelled by the server; here they are only joined.

/** Return a query narrowed by a term, such as `place:"Lisbon"`. */
export function narrowed(query, term) {
  const asked = query.trim();
  if (!asked) return term;
  if (hasTerm(asked, term)) return asked;
  return `${closed(asked)} AND ${term}`;
}

/** Return a query that leaves out what a term finds. */
export function without(query, term) {
  const asked = query.trim();
  return asked ? `${closed(asked)} NOT ${term}` : `NOT ${term}`;
}

/** Return a query without one of the terms that it was narrowed by, or null where it cannot simply
 * be taken out. `written` is the query as the server writes it.
 */
export function freed(query, written, term) {
  return takenOut(query, term) ?? takenOut(written ?? "", term);
}

export function hasTerm(query, term) {
  return query.split(" AND ").some((part) => part.trim() === term);
}

/** Return whether a query, as the server writes it, is joined to NOT and this term by ANDs alone. The
 * term is written without quotation marks.
 */
export function isExcluded(written, term) {
  return (parts(written) ?? []).some(
    (part) => part.replace(/"((?:[^"\\]|\\.)*)"/, (_, text) => text.replace(/\\(.)/g, "$1"))
      === `NOT ${term}`,
  );
}

function takenOut(query, term) {
  const all = parts(query);
  if (!all) return null;
  const left = all.filter((part) => part !== term);
  return left.length < all.length ? left.join(" AND ") : null;
}

/** Return the parts that ANDs join at the top of a query, or null where it has an OR there. */
export function parts(query) {
  const found = [];
  let depth = 0;
  let begin = 0;
  let isQuoted = false;
  for (let at = 0; at < query.length; at += 1) {
    const sign = query[at];
    if (isQuoted && sign === "\\") at += 1;
    else if (sign === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (sign === "(") depth += 1;
    else if (sign === ")") depth -= 1;
    else if (depth === 0 && query.startsWith(" AND ", at)) {
      found.push(query.slice(begin, at).trim());
      begin = at + 5;
      at += 4;
    } else if (depth === 0 && query.startsWith(" OR ", at)) return null;
  }
  found.push(query.slice(begin).trim());
  return found;
}

/** Return a query in parentheses if what follows it would bind tighter than its own OR. */
export function closed(query) {
  return parts(query) === null ? `(${query})` : query;
}
