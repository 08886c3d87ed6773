// The page stands beside the description, wherever a proxy puts both.
SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("routes"),
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // ask nobody else
});
