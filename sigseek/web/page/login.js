// The form that asks for the server's token.

import { sentence } from "./words.js";

const form = document.querySelector("form");
const problem = document.querySelector("[role=alert]");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  document.querySelector("#wrong").hidden = true;  // it is for browsers without scripts
  try {
    const response = await fetch("/api/v1/login", {
      method: "POST", headers: { "X-Sigseek": "1" }, body: new URLSearchParams(new FormData(form)),
    });
    if (response.ok) location.assign(`/${location.search}`);
    else problem.textContent = await said(response);
  } catch {
    problem.textContent = "sigseek's server does not answer.";
  }
  form.elements.token.select();
});

async function said(response) {
  try {
    const { detail, remedy } = await response.json();
    return sentence(remedy ? `${detail}; ${remedy.text}` : detail);
  } catch {
    return `The server answered ${response.status}.`;
  }
}
