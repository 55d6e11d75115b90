"use strict";
// A page with notebooks reads without this: it fills and sizes frames, and goes
// to the failure.
(() => {
  const most = 20; // frames that are alive at a time, in a file
  const shortest = 1, tallest = 4000;
  const boot = document.body.dataset.boot;
  const frames = [...document.querySelectorAll("iframe.frame")];

  const unpack = async text => {
    const bytes = Uint8Array.from(atob(text.trim()), c => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const libraries = new Map();
  // A library stands in a script element, which its own text must not end.
  const inert = code => code.replace(/<(?=\/script|!--)/gi, "\\x3c");
  const library = name => {
    if (!libraries.has(name)) libraries.set(name, unpack(window.fanoutLibraries?.[name] ?? document.querySelector(`script[data-library="${name}"]`).textContent).then(inert));
    return libraries.get(name);
  };
  // fill sends a frame what it shows.
  const fill = async frame => {
    let text = await unpack(frame.nextElementSibling.textContent);
    for (const name of (frame.dataset.libraries || "").split(" ").filter(Boolean)) {
      const code = await library(name);
      text = text.replace(`<!--library ${name}-->`, () => `<script>${code}</scr` + `ipt>`);
    }
    frame.contentWindow.postMessage(text, "*"); // its origin has no name
  };

  addEventListener("message", event => {
    const frame = frames.find(f => f.contentWindow === event.source);
    const said = event.data;
    if (!frame || typeof said !== "object" || said === null) return;
    if (said.fanout === "ready" && frame.dataset.state === "booting") {
      frame.dataset.state = "filled";
      fill(frame);
    }
    if (said.fanout === "height" && Number.isFinite(said.height))
      frame.style.height = Math.min(Math.max(said.height, shortest), tallest) + "px";
  });
  // Frames that were here before this script have told nobody.
  for (const frame of frames) frame.contentWindow?.postMessage({fanout: "tell"}, "*");

  // Frames of a file come to life near the window, and the farthest give way.
  if (boot && "IntersectionObserver" in window) {
    const alive = new Set();
    const seen = new Set();
    const start = frame => {
      if (frame.dataset.state) return;
      frame.dataset.state = "booting";
      frame.src = boot;
      alive.add(frame);
      for (const old of alive) {
        if (alive.size <= most) break;
        if (seen.has(old)) continue;
        alive.delete(old);
        delete old.dataset.state;
        old.removeAttribute("src");
      }
    };
    const watch = new IntersectionObserver(entries => {
      for (const e of entries) {
        if (e.isIntersecting) { seen.add(e.target); start(e.target); } else seen.delete(e.target);
      }
    }, {rootMargin: "800px 0px"});
    frames.filter(f => !f.hasAttribute("src")).forEach(f => watch.observe(f));
  }

  const failed = document.querySelector(".cell.failed");
  if (failed && !location.hash) failed.scrollIntoView({block: "start"});
})();
