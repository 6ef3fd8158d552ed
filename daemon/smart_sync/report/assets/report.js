"use strict";
// The detail charts.  What is shown without this file is complete but for zooming; no text from outside passes
// through here except as the text of options, which is only ever copied as text.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const texts = data.texts, METRICS = texts.metrics, VIEWS = 4;
  const language = document.documentElement.lang;
  const DAY = 86400;
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const VALUE_OF = new Map([...DIGITS].map((digit, value) => [digit, value]));
  const days = Array.from({ length: data.days }, (_, i) => (data.start + i) * DAY);
  const whole = new Intl.NumberFormat(language, { useGrouping: "always" });
  const compact = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 4 });
  const shortDay = (seconds) => {
    const at = new Date(seconds * 1000);
    return `${at.getUTCDate()} ${texts.months[at.getUTCMonth()]}`;
  };
  const dayText = (i) => `${shortDay(days[i])} ${yearOf(days[i])}`;
  const forms = new Intl.PluralRules(language);
  const noun = (n, metric) => texts.nouns[metric][{ one: 0, few: 1 }[forms.select(Math.abs(n))] ?? 2];
  const signed = (n) => (n > 0 ? "+" : n < 0 ? "−" : "±") + whole.format(Math.abs(n));

  function yearOf(seconds) { return new Date(seconds * 1000).getUTCFullYear(); }

  // The counterpart of series.py.  Multiplied, not shifted: counts do not fit into 32 bits.
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
      return `${select.selectedOptions[0].textContent}: ${metric}${this.choice("show") === "daily" ? `, ${texts.daily}` : ""}`;
    }

    draw() {
      this.shown = this.values();
      if (this.chart) this.chart.destroy();
      this.chart = new uPlot(this.options(), [days, this.shown], this.plot);
      this.plot.setAttribute("aria-valuemin", 0);
      this.plot.setAttribute("aria-valuemax", days.length - 1);
      this.plot.setAttribute("aria-label", `${texts.day}: ${this.title()}`);
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
        padding: [8, 36, 0, 0],
        cursor: { y: false, drag: { x: true, y: false, dist: 5 }, points: { size: 8, fill: colour("--accent") } },
        scales: {
          // uPlot makes a thousand days of a single one.
          x: { range: (_, min, max) => (days.length === 1 ? [days[0] - DAY, days[0] + DAY] : [min, max]) },
          y: { range: (_, min, max) => this.reach(min, max, isDaily) },
        },
        axes: [
          { ...axis, space: 70, size: 32, values: (u, ticks) => this.ticks(u, ticks), incrs: [1, 2, 7, 14, 28, 56, 91, 182, 365].map((n) => n * DAY) },
          { ...axis, size: 76, values: (_, ticks) => ticks.map((n) => compact.format(n)), incrs: WHOLE },
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
          draw: [(u) => this.mark(u, colour)],
          setCursor: [(u) => u.cursor.idx != null && u.cursor.left >= 0 && this.say(u.cursor.idx)],
        },
      };
    }

    // The year only where the days shown are of two.
    ticks(u, ticks) {
      const withYear = yearOf(u.scales.x.min) !== yearOf(u.scales.x.max);
      return ticks.map((s) => (withYear ? `${shortDay(s)} ${String(yearOf(s)).slice(2)}` : shortDay(s)));
    }

    // What all accounts together are to reach, where their views are shown; else null.
    goal() {
      const shown = this.choice("account") === "-1" && Number(this.choice("metric")) === VIEWS && this.choice("show") === "level";
      return shown && this.live.dataset.goal ? Number(this.live.dataset.goal) : null;
    }

    joined() {
      return this.choice("account") === "-1" && this.choice("show") === "level" ? this.series.joined[this.choice("metric")] : [];
    }

    // The target as a dashed line across, days on which accounts join as dotted ones down.
    mark(u, colour) {
      const { ctx, bbox } = u, ratio = devicePixelRatio, goal = this.goal();
      const line = (dash, name, x0, y0, x1, y1) => {
        ctx.setLineDash(dash.map((n) => n * ratio));
        ctx.strokeStyle = colour(name);
        ctx.beginPath();
        ctx.moveTo(x0, y0);
        ctx.lineTo(x1, y1);
        ctx.stroke();
      };
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.lineWidth = 1.5 * ratio;
      for (const [day] of this.joined()) {
        const x = u.valToPos(days[day], "x", true);
        line([2, 3], "--soft", x, bbox.top, x, bbox.top + bbox.height);
      }
      if (goal !== null) {
        const y = u.valToPos(goal, "y", true);
        line([8, 5], "--up", bbox.left, y, bbox.left + bbox.width, y);
        ctx.fillStyle = colour("--up");
        ctx.font = `${12 * ratio}px system-ui`;
        ctx.textAlign = "left";
        ctx.textBaseline = "top";
        ctx.fillText(`${texts.goal}: ${whole.format(goal)}`, bbox.left + 6 * ratio, y + 4 * ratio);
      }
      ctx.restore();
    }

    // Bars need the zero; a level is easier to read from its own lowest to its own highest value.
    reach(min, max, withZero) {
      const goal = this.goal();
      if (min === null) return [0, 1];
      if (goal !== null) [min, max] = [Math.min(min, goal), Math.max(max, goal)];
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
      const text = `${dayText(i)}: ${value === null ? texts.no_value : isDaily ? signed(value) : whole.format(value)} ${value === null ? "" : noun(value, this.choice("metric"))}`.trim();
      const joined = this.joined().filter(([day]) => day === i).map(([, accounts, amount]) => ` (${texts.joined}: ${whole.format(accounts)}, ${whole.format(amount)})`).join("");
      const step = !isDaily && value !== null && i > 0 && this.shown[i - 1] !== null ? ` (${signed(value - this.shown[i - 1])} ${texts.since_before})` : "";
      this.at = i;
      this.readout.textContent = text + (this.choice("account") === "-1" ? joined : step);
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
      head.append(element("th", texts.day, { scope: "col" }), element("th", this.choice("show") === "daily" ? `${name}, ${texts.change}` : name, { scope: "col", class: "number" }));
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

  const details = [...document.querySelectorAll(".live")].map((live) => { live.hidden = false; return new Detail(live); });
  document.documentElement.classList.add("scripted");
  // One chart per task: the page answers at once, however many projects it has.
  const drawNext = (rest) => rest.length && setTimeout(() => { rest[0].draw(); drawNext(rest.slice(1)); });
  drawNext(details);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => details.forEach((detail) => detail.chart && detail.draw()));
})();
