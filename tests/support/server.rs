//! A world served on a loopback port, by a thread of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;

use edgeproof_sim::World;
use edgeproof_sim::serve::http;
use edgeproof_sim::serve::socket::{self, Handler};
use edgeproof_sim::world::builder::Builder;
use tokio::sync::oneshot;

type Look = Box<dyn FnOnce(&World) + Send>;

/// A server that runs until it is stopped or dropped.
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<Look>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Builds a world on a new thread and serves its Worker.
    pub fn start(make: impl FnOnce() -> Builder + Send + 'static) -> Self {
        Self::start_with(make, http::handler)
    }

    /// Builds a world on a new thread and serves it by a handler.
    #[expect(
        clippy::disallowed_methods,
        reason = "a world has one thread, and the client is on another"
    )]
    pub fn start_with(
        make: impl FnOnce() -> Builder + Send + 'static,
        handler: impl FnOnce(&World) -> Handler + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        listener.set_nonblocking(true).expect("tokio wants it so");
        let (stop, stopped) = oneshot::channel::<Look>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async move {
                let world = make().build().expect("the world builds");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let mut look = None;
                let listeners = vec![(listener, handler(&world))];
                socket::serve(&world, listeners, async { look = stopped.await.ok() }).await;
                if let Some(look) = look {
                    look(&world);
                }
            });
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the server, and gives what `look` sees in the world it leaves behind.
    pub fn stop<T: Send + 'static>(mut self, look: impl FnOnce(&World) -> T + Send + 'static) -> T {
        let (sender, receiver) = mpsc::channel();
        let look: Look =
            Box::new(move |world| sender.send(look(world)).expect("the test waits for it"));
        let stop = self.stop.take().expect("it is stopped once");
        assert!(stop.send(look).is_ok(), "the server runs");
        let seen = receiver.recv().expect("the server ended in order");
        let thread = self.thread.take().expect("it is joined once");
        thread.join().expect("the server's thread did not panic");
        seen
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has been printed; this may run while the test itself panics.
            drop(thread.join());
        }
    }
}
