"""Formats by the name that `geoscribe export` takes, each as `module:Class`. To add one: one file, one line here."""

FORMATS = {
    "coco": "tools.export.coco:Coco",
    "cvgtext": "tools.export.cvgtext:CvgText",
    "hf": "tools.export.hf:ImageFolder",
    "recipe": "tools.export.recipe:Recipe",
    "stac": "tools.export.stac:Stac",
    "webdataset": "tools.export.webdataset:WebDataset",
}
