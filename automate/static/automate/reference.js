// The reference of the API, drawn by Swagger UI from the site's own description.
"use strict";
const place = document.getElementById("reference");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.description,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  defaultModelRendering: "model",
  filter: true,
  tryItOutEnabled: false,
  // Nothing is sent to others: no validator's badge.
  validatorUrl: null,
  // No request of the page's own takes the session's cookie along.
  withCredentials: false,
  syntaxHighlight: { activated: false },
});
