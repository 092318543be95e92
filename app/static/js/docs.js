/* The API page: Swagger UI on our own description; it asks no validator on the internet. */
(() => {
  const { SwaggerUIBundle } = window;
  const place = document.querySelector("[data-spec]");
  SwaggerUIBundle({
    url: place.dataset.spec,
    domNode: place,
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
})();
