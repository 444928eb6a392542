// The contrast of text with what lies below it, as WCAG 2 defines it: [{text, ratio}] of all
// elements that a selector names, in shadow trees too.
(selector) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    return [[red, green, blue], alpha / 255];
  };

  const over = (top, alpha, below) => below.map((b, i) => alpha * top[i] + (1 - alpha) * b);

  const luminance = (colour) => {
    const [red, green, blue] = colour.map((value) =>
      value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };

  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  const ancestors = (element) => {
    const all = [];
    for (let one = element; one; one = one.parentElement ?? one.getRootNode().host) all.push(one);
    return all;
  };

  const below = (element) =>
    ancestors(element)
      .reverse()
      .reduce((so_far, one) => over(...rgba(getComputedStyle(one).backgroundColor), so_far), [
        255, 255, 255,
      ]);

  const measure = (element) => {
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    const [colour, alpha] = rgba(drawn ? style.fill : style.color);
    const opacity = ancestors(element).reduce(
      (so_far, one) => so_far * getComputedStyle(one).opacity,
      drawn ? Number(style.fillOpacity) : 1,
    );
    const ground = below(element);
    return ratio(over(colour, alpha * opacity, ground), ground);
  };

  const roots = (root) => [
    root,
    ...[...root.querySelectorAll("*")].filter((e) => e.shadowRoot).flatMap((e) => roots(e.shadowRoot)),
  ];

  if (selector === ":focus") {
    let focused = document.activeElement;
    while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
    const style = getComputedStyle(focused);
    const ground = below(focused.parentElement ?? focused);
    const ring = parseFloat(style.outlineWidth) * (style.outlineStyle !== "none");
    return {
      name: `${focused.tagName} ${focused.ariaLabel ?? focused.textContent}`.slice(0, 60),
      ring,
      ratio: ratio(over(...rgba(style.outlineColor), ground), ground),
    };
  }
  return roots(document)
    .flatMap((root) => [...root.querySelectorAll(selector)])
    .filter((element) => {
      const text = [...element.childNodes].filter((node) => node.nodeType === 3);
      const seen = element.getBoundingClientRect().width && element.checkVisibility();
      return seen && text.some((node) => node.data.trim());
    })
    .map((element) => ({ text: element.textContent.slice(0, 60), ratio: measure(element) }));
}
