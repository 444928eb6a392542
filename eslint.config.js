import js from "@eslint/js";

export default [
  js.configs.recommended,
  {
    rules: {
      // TypeScript knows which names there are.
      "no-undef": "off",
      eqeqeq: "error",
      "no-shadow": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
  },
];
