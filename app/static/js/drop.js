/* A place to drop files on; a drop beside it does not leave the page. */
export function dropZone(place, take) {
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => { if (hasFiles(event)) event.preventDefault(); });
  place.addEventListener("dragenter", () => { depth += 1; place.classList.add("is-over"); });
  place.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) place.classList.remove("is-over"); });
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    place.classList.remove("is-over");
    take([...event.dataTransfer.files]);
  });
}
