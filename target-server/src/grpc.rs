//! Points by gRPC, on a listener of their own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, service};

use crate::app::App;
use crate::error::StoreError;
use crate::ids::BuyerId;
use crate::knobs::{Watched, observe};
use crate::points::{ChargeOutcome, MAX_CHARGE};

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    reason = "generated code"
)]
mod proto {
    tonic::include_proto!("points.v1");
}

use proto::points_server::{Points, PointsServer};
use proto::{BalanceReply, BalanceRequest, ChargeRequest, WatchRequest};

const MAX_TIMES: u32 = 10_000;
const MAX_INTERVAL_MS: u32 = 60_000;

struct Service(App);

impl Service {
    async fn balance_of(&self, buyer: BuyerId) -> Result<BalanceReply, Status> {
        match self.0.points.balance(buyer).await.map_err(|error| unavailable(&error))? {
            Some(balance) => Ok(BalanceReply { buyer_id: buyer.get(), balance }),
            None => Err(unknown(buyer)),
        }
    }
}

#[tonic::async_trait]
impl Points for Service {
    async fn balance(&self, request: Request<BalanceRequest>) -> Result<Response<BalanceReply>, Status> {
        let reply = self.balance_of(buyer(request.get_ref().buyer_id)?).await?;
        let mut response = Response::new(reply);
        // A caller that names its request finds it again.
        if let Some(id) = request.metadata().get("x-request-id") {
            response.metadata_mut().insert("x-request-id", id.clone());
        }
        if let Some(id) = request.metadata().get_bin("x-request-bin") {
            response.metadata_mut().insert_bin("x-request-bin", id.clone());
        }
        Ok(response)
    }

    async fn charge(&self, request: Request<ChargeRequest>) -> Result<Response<BalanceReply>, Status> {
        let ChargeRequest { buyer_id, point } = request.into_inner();
        let buyer = buyer(buyer_id)?;
        if !(1..=MAX_CHARGE).contains(&point) {
            return Err(invalid("point", format!("{point} is not from 1 to {MAX_CHARGE}")));
        }
        match self.0.points.charge(buyer, point).await.map_err(|error| unavailable(&error))? {
            ChargeOutcome::Charged { balance } => {
                self.0.metrics.charges.inc();
                Ok(Response::new(BalanceReply { buyer_id, balance }))
            }
            ChargeOutcome::UnknownBuyer => Err(unknown(buyer)),
            ChargeOutcome::TooMuch => {
                Err(Status::failed_precondition(format!("buyer {buyer}: the balance cannot grow by {point} any more")))
            }
        }
    }

    type WatchStream = ReceiverStream<Result<BalanceReply, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { buyer_id, times, interval_ms } = request.into_inner();
        let buyer = buyer(buyer_id)?;
        if !(1..=MAX_TIMES).contains(&times) {
            return Err(invalid("times", format!("{times} is not from 1 to {MAX_TIMES}")));
        }
        if interval_ms > MAX_INTERVAL_MS {
            return Err(invalid("interval_ms", format!("{interval_ms} is more than {MAX_INTERVAL_MS}")));
        }
        let service = Self(Arc::clone(&self.0));
        let (told, answers) = mpsc::channel(16);
        tokio::spawn(async move {
            for number in 0..times {
                if number > 0 && interval_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(interval_ms.into())).await;
                }
                let answer = service.balance_of(buyer).await;
                let is_over = answer.is_err();
                // Nobody listens any more: the call was cancelled.
                if told.send(answer).await.is_err() || is_over {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

fn buyer(id: i64) -> Result<BuyerId, Status> {
    BuyerId::try_from(id).map_err(|_| invalid("buyer_id", format!("{id} is not a positive integer")))
}

/// A wrong value: the status says so in words, and its details as gRPC's own error model has it.
fn invalid(field: &str, problem: String) -> Status {
    let message = format!("{field}: {problem}");
    let violation = proto::FieldViolation { field: field.to_owned(), description: problem };
    let request = proto::BadRequest { field_violations: vec![violation] };
    let detail =
        proto::Any { type_url: "type.googleapis.com/google.rpc.BadRequest".to_owned(), value: request.encode_to_vec() };
    let code = Code::InvalidArgument;
    let details = proto::RpcStatus { code: code.into(), message: message.clone(), details: vec![detail] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

fn unknown(buyer: BuyerId) -> Status {
    Status::not_found(format!("there is no buyer {buyer}"))
}

fn unavailable(error: &StoreError) -> Status {
    Status::unavailable(error.to_string())
}

/// Answers calls until `shutdown` completes, and those in flight then.
///
/// # Errors
/// What the transport says.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let watched = Watched {
        method: "POST",
        route: "/points.v1.Points/{method}",
        metrics: Arc::clone(&app.metrics),
        shape: Some(Arc::clone(&app.shape)),
    };
    let points = PointsServer::new(Service(app))
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let router = service::Routes::new(points).prepare().into_axum_router();
    let router = router.layer(from_fn_with_state(Arc::new(watched), observe));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_routes(service::Routes::from(router))
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await
        .map_err(io::Error::other)
}
