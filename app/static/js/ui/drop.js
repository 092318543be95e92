/* A zone to drop files on; a drop outside of it does not leave the page. */
export function dropZone(zone, accept) {
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  for (const name of ["dragover", "drop"])
    window.addEventListener(name, (event) => {
      if (hasFiles(event)) event.preventDefault();
    });
  zone.addEventListener("dragenter", () => {
    depth += 1;
    zone.classList.add("is-over");
  });
  zone.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) zone.classList.remove("is-over");
  });
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    zone.classList.remove("is-over");
    accept([...event.dataTransfer.files]);
  });
}
