//! What wasmtime generates from `wit/`, and nothing else.
#![expect(missing_docs, reason = "the documentation stands in wit/")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "scenario",
    imports: {
        "flashcrowd:scenario/http.send": async | trappable,
        "flashcrowd:scenario/http.send-body": async | trappable,
        "flashcrowd:scenario/http.send-all": async | trappable,
        "flashcrowd:scenario/streaming.open": async | trappable,
        "flashcrowd:scenario/streaming.[method]answer-stream.read": async | trappable,
        "flashcrowd:scenario/events.open": async | trappable,
        "flashcrowd:scenario/events.next": async | trappable,
        "flashcrowd:scenario/timer.sleep": async | trappable,
        "flashcrowd:scenario/shared.pop-within": async | trappable,
        "flashcrowd:scenario/grpc.unary": async | trappable,
        "flashcrowd:scenario/grpc.server-stream": async | trappable,
        "flashcrowd:scenario/grpc.[method]call.receive": async | trappable,
        "flashcrowd:scenario/websocket.connect": async | trappable,
        "flashcrowd:scenario/websocket.[method]socket.send-text": async | trappable,
        "flashcrowd:scenario/websocket.[method]socket.send-binary": async | trappable,
        "flashcrowd:scenario/websocket.[method]socket.receive": async | trappable,
        "flashcrowd:scenario/websocket.[method]socket.ping": async | trappable,
        "flashcrowd:scenario/websocket.[method]socket.close": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "flashcrowd:scenario/http.body": super::http::Body,
        "flashcrowd:scenario/http.params": super::http::Params,
        "flashcrowd:scenario/http.response": super::http::Response,
        "flashcrowd:scenario/grpc.params": super::grpc::Params,
        "flashcrowd:scenario/grpc.call": super::grpc::Call,
        "flashcrowd:scenario/websocket.params": super::websocket::Params,
        "flashcrowd:scenario/websocket.socket": super::websocket::Socket,
        "flashcrowd:scenario/streaming.answer-stream": super::streaming::AnswerStream,
    },
});
