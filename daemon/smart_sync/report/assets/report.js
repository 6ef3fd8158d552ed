"use strict";
// The detail charts.  What is shown without this file is complete but for zooming; no text from outside passes
// through here except as the text of options, which is only ever copied as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const METRICS = ["followers", "likes", "comments", "videos", "views"];
  const DAY = 86400;
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const VALUE_OF = new Map([...DIGITS].map((digit, value) => [digit, value]));
  const days = Array.from({ length: data.days }, (_, i) => (data.start + i) * DAY);
  const whole = new Intl.NumberFormat("en");
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
  const longDay = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
  const dayText = (i) => longDay.format(new Date(days[i] * 1000));
  const signed = (n) => (n > 0 ? "+" : n < 0 ? "−" : "±") + whole.format(Math.abs(n));

  // The counterpart of packing.py.  Multiplied, not shifted: counts do not fit into 32 bits.
  function unpack(text) {
    const series = [];
    let last = 0, number = 0, place = 1;
    for (const digit of text) {
      if (digit === ".") { series.push(null); continue; }
      const value = VALUE_OF.get(digit);
      number += (value % 32) * place;
      place *= 32;
      if (value >= 32) continue;
      last += number % 2 ? -(number + 1) / 2 : number / 2;
      series.push(last);
      number = 0;
      place = 1;
    }
    return series;
  }

  const perDay = (series) => series.map((v, i) => (v === null || i === 0 || series[i - 1] === null ? null : v - series[i - 1]));

  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  class Detail {
    constructor(live) {
      this.live = live;
      this.series = data.projects[Number(live.dataset.project)];
      this.plot = live.querySelector(".plot");
      this.readout = live.querySelector(".readout");
      this.table = live.querySelector("details");
      this.range = [0, days.length - 1];
      this.at = null;
      live.addEventListener("change", () => this.draw());
      live.addEventListener("click", (event) => event.target.dataset.zoom && this.zoom(event.target.dataset.zoom));
      this.plot.addEventListener("keydown", (event) => this.key(event));
      this.table.addEventListener("toggle", () => this.fill());
      new ResizeObserver(() => this.chart && this.chart.setSize(this.size())).observe(this.plot);
    }

    choice(name) { return this.live.querySelector(`[name=${name}]`).value; }

    size() { return { width: this.plot.clientWidth, height: this.plot.clientHeight }; }

    values() {
      const account = Number(this.choice("account")), metric = Number(this.choice("metric"));
      const pick = (texts) => unpack(texts.split(" ")[metric]);
      const isDaily = this.choice("show") === "daily";
      if (account < 0) return pick(isDaily ? this.series.daily : this.series.total);
      const level = pick(this.series.accounts[account]);
      return isDaily ? perDay(level) : level;
    }

    title() {
      const select = this.live.querySelector("[name=account]");
      const metric = METRICS[this.choice("metric")];
      return `${select.selectedOptions[0].textContent}: ${metric}${this.choice("show") === "daily" ? ", change per day" : ""}`;
    }

    draw() {
      this.shown = this.values();
      if (this.chart) this.chart.destroy();
      this.chart = new uPlot(this.options(), [days, this.shown], this.plot);
      this.plot.setAttribute("aria-valuemin", 0);
      this.plot.setAttribute("aria-valuemax", days.length - 1);
      this.plot.setAttribute("aria-label", `Day in the chart of ${this.title()}`);
      this.say(this.at ?? days.length - 1);
      this.fill();
    }

    options() {
      const colours = getComputedStyle(document.documentElement);
      const colour = (name) => colours.getPropertyValue(name).trim();
      const isDaily = this.choice("show") === "daily";
      const axis = { stroke: colour("--soft"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
      return {
        ...this.size(),
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        legend: { show: false },
        padding: [8, 12, 0, 0],
        cursor: { y: false, drag: { x: true, y: false, dist: 5 }, points: { size: 8, fill: colour("--accent") } },
        scales: {
          x: { range: (_, min, max) => (min === max ? [min - DAY, max + DAY] : [min, max]) },
          y: { range: (_, min, max) => this.reach(min, max, isDaily) },
        },
        axes: [
          { ...axis, space: 70, size: 32, values: (_, ticks) => ticks.map((s) => shortDay(s)), incrs: [1, 2, 7, 14, 28, 56, 91, 182, 365].map((n) => n * DAY) },
          { ...axis, size: 64, values: (_, ticks) => ticks.map((n) => compact.format(n)), incrs: WHOLE },
        ],
        series: [
          {},
          {
            stroke: colour("--accent"), width: 2, spanGaps: false,
            points: { size: 5, fill: colour("--accent") },
            ...(isDaily ? { paths: uPlot.paths.bars({ size: [0.8, 40] }), fill: colour("--accent"), points: { show: false } } : {}),
          },
        ],
        hooks: {
          setScale: [(u, key) => key === "x" && this.zoomed(u)],
          setCursor: [(u) => u.cursor.idx != null && u.cursor.left >= 0 && this.say(u.cursor.idx)],
        },
      };
    }

    // Bars need the zero; a level is easier to read from its own lowest to its own highest value.
    reach(min, max, withZero) {
      if (min === null) return [0, 1];
      const low = withZero ? Math.min(min, 0) : min, high = withZero ? Math.max(max, 0) : max;
      const margin = (high - low) * 0.05 || Math.max(Math.abs(high) * 0.01, 1);
      return [low === 0 ? 0 : low - margin, high === 0 && withZero ? 0 : high + margin];
    }

    zoomed(u) {
      const first = Math.ceil((u.scales.x.min - days[0]) / DAY), last = Math.floor((u.scales.x.max - days[0]) / DAY);
      this.range = [Math.max(first, 0), Math.min(last, days.length - 1)];
      this.fill();
    }

    // What the mouse, a finger and the keyboard do alike: one day is the current one.
    say(i) {
      const value = this.shown[i], isDaily = this.choice("show") === "daily";
      const text = `${dayText(i)}: ${value === null ? "no value" : isDaily ? signed(value) : whole.format(value)} ${value === null ? "" : METRICS[this.choice("metric")]}`.trim();
      const step = !isDaily && value !== null && i > 0 && this.shown[i - 1] !== null ? ` (${signed(value - this.shown[i - 1])} since the day before)` : "";
      this.at = i;
      this.readout.textContent = text + (this.choice("account") === "-1" ? "" : step);
      this.plot.setAttribute("aria-valuenow", i);
      this.plot.setAttribute("aria-valuetext", this.readout.textContent);
    }

    go(i) {
      const target = Math.min(Math.max(i, 0), days.length - 1);
      const [first, last] = this.range;
      if (target < first) this.show(target, target + last - first);
      if (target > last) this.show(target - last + first, target);
      const top = this.shown[target] === null ? 0 : this.chart.valToPos(this.shown[target], "y");
      this.chart.setCursor({ left: this.chart.valToPos(days[target], "x"), top });
      this.say(target);
    }

    show(first, last) {
      const low = Math.max(first, 0), high = Math.min(last, days.length - 1);
      this.chart.batch(() => this.chart.setScale("x", { min: days[low], max: days[high] }));
    }

    zoom(how) {
      if (!this.chart) this.draw();
      const [first, last] = this.range, width = last - first, end = days.length - 1;
      if (how === "all") return this.show(0, end);
      const wanted = how === "in" ? Math.max(Math.round(width / 2), Math.min(6, end)) : Math.min(width * 2 || 1, end);
      const inside = this.at !== null && this.at >= first && this.at <= last;
      const low = Math.min(Math.max(Math.round((inside ? this.at : last) - wanted / 2), 0), end - wanted);
      return this.show(low, low + wanted);
    }

    key(event) {
      const at = this.at ?? this.range[1];
      const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1, PageDown: at - 7, PageUp: at + 7, Home: this.range[0], End: this.range[1] };
      const zooms = { "+": "in", "=": "in", "-": "out", "0": "all", Escape: "all" };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (!this.chart) this.draw();
      if (event.key in moves) this.go(moves[event.key]);
      else if (event.key in zooms) this.zoom(zooms[event.key]);
      else return;
      event.preventDefault();
    }

    fill() {
      if (!this.table.open) return;
      if (!this.chart) return void this.draw();
      const table = element("table"), body = element("tbody"), head = element("tr");
      const name = METRICS[this.choice("metric")];
      head.append(element("th", "Day", { scope: "col" }), element("th", this.choice("show") === "daily" ? `${name}, change` : name, { scope: "col", class: "number" }));
      for (let i = this.range[1]; i >= this.range[0]; i--) {
        const row = element("tr"), value = this.shown[i];
        const text = value === null ? "–" : this.choice("show") === "daily" ? signed(value) : whole.format(value);
        row.append(element("th", dayText(i), { scope: "row" }), element("td", text, { class: "number" }));
        body.append(row);
      }
      const thead = element("thead");
      thead.append(head);
      table.append(element("caption", this.title()), thead, body);
      const scroll = element("div", undefined, { class: "scroll", tabindex: 0, role: "group", "aria-label": this.title() });
      scroll.append(table);
      this.table.querySelector(".numbers").replaceChildren(scroll);
    }
  }

  // Counts are whole: no axis is divided finer than by one.
  const WHOLE = [...Array(18).keys()].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));
  const tickDay = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
  const shortDay = (seconds) => tickDay.format(new Date(seconds * 1000));

  const details = [...document.querySelectorAll(".live")].map((live) => { live.hidden = false; return new Detail(live); });
  document.documentElement.classList.add("scripted");
  // One chart per task: the page answers at once, however many projects it has.
  const drawNext = (rest) => rest.length && setTimeout(() => { rest[0].draw(); drawNext(rest.slice(1)); });
  drawNext(details);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => details.forEach((detail) => detail.chart && detail.draw()));
})();
