"use strict";
// What executes first in a frame: it tells the page how tall the frame is, and
// draws what the notebook stored as data.
(() => {
  let told = -9, times = 0;
  const tell = () => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    if (Math.abs(height - told) < 2 || times > 60) return;
    told = height;
    times++;
    parent.postMessage({fanout: "height", height}, "*");
  };
  addEventListener("DOMContentLoaded", () => { new ResizeObserver(tell).observe(document.documentElement); tell(); });
  addEventListener("load", tell);
  // The page's script asks, as it may begin to listen after the first word.
  addEventListener("message", event => {
    if (event.source !== parent || event.data?.fanout !== "tell") return;
    told = -9;
    tell();
  });

  const fail = (element, error) => {
    const p = document.createElement("p");
    p.textContent = "This output could not be drawn: " + error;
    element.append(p);
  };

  // Libraries that are here already are not asked for again.
  const here = [[/plotly/, () => window.Plotly], [/vega-embed/, () => window.vegaEmbed], [/vega-lite/, () => window.vegaLite], [/vega/, () => window.vega]];
  const src = Object.getOwnPropertyDescriptor(HTMLScriptElement.prototype, "src");
  Object.defineProperty(HTMLScriptElement.prototype, "src", {
    get: src.get,
    set(address) {
      const known = /^https?:/.test(address) && here.find(([name]) => name.test(address));
      src.set.call(this, known && known[1]() ? "data:text/javascript," : address);
    },
  });

  let parts = 0;
  window.fanout = {
    // script executes code that shows something in element.
    script(element, code) {
      const name = "fanoutElement" + parts++;
      window[name] = element;
      const script = document.createElement("script");
      script.textContent = "(function (element) {\n" + code + "\n}).call(window." + name + ", window." + name + ");";
      element.append(script);
    },
    plotly(element, figure) {
      const layout = figure.layout || {};
      Plotly.newPlot(element, figure.data || [], layout, Object.assign({responsive: true}, figure.config))
        .then(() => figure.frames && Plotly.addFrames(element, figure.frames)).catch(error => fail(element, error));
    },
    vega(element, spec, mode) {
      vegaEmbed(element, spec, {mode, actions: false}).catch(error => fail(element, error));
    },
  };
})();
