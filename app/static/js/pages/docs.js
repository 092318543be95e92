/* The API page: Swagger UI on our own description, without the validator on the internet. */
(() => {
  const { SwaggerUIBundle } = window;
  const container = /** @type {HTMLElement} */ (document.querySelector("[data-spec]"));
  SwaggerUIBundle({
    url: container.dataset.spec,
    domNode: container,
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
})();
