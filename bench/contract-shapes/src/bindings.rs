//! What `bindgen!` makes of `wit/shapes.wit`.

wasmtime::component::bindgen!({
    world: "shapes",
    path: "wit",
    imports: {
        "flashcrowd:shapes/records.send": async | trappable,
        "flashcrowd:shapes/others.send": async | trappable,
        "flashcrowd:shapes/others.send-numbered": async | trappable,
        "flashcrowd:shapes/others.send-tagged": async | trappable,
        "flashcrowd:shapes/others.send-interned": async | trappable,
        "flashcrowd:shapes/methods.[method]request.send": async | trappable,
        "flashcrowd:shapes/prepared.[method]prepared.send": async | trappable,
        default: trappable,
    },
    with: {
        "flashcrowd:shapes/records.params": crate::host::Params,
        "flashcrowd:shapes/records.response": crate::host::Response,
        "flashcrowd:shapes/methods.request": crate::host::Building,
        "flashcrowd:shapes/methods.response": crate::host::Response,
        "flashcrowd:shapes/prepared.prepared": crate::host::Prepared,
    },
});
