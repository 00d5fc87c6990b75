// Each line of the page says what came of its part.
const show = (id, text) => { document.getElementById(id).textContent = text; };

show("script", "loaded");

new EventSource("events").onmessage = (event) => show("events", event.data);

const socket = new WebSocket(new URL("echo", location.href.replace(/^http/, "ws")));
let heard = 0;
socket.onopen = () => socket.send("ping");
socket.onmessage = (message) => {
  heard += 1;
  show("socket", `${message.data} ${heard}`);
  setTimeout(() => socket.send("ping"), 250);
};
socket.onclose = () => show("socket", "closed");

document.getElementById("file").onchange = async (event) => {
  const [file] = event.target.files;
  show("upload", "under way");
  const answer = await fetch("upload", { method: "POST", body: file });
  const { size, sha256 } = await answer.json();
  show("upload", `${size} ${sha256}`);
};
