//! `Router`, `RouteContext`, `RouteParams`.

both! {
    use worker::{D1Database, KvStore, ObjectNamespace};
    use worker::{Env, Request, Response, Result, RouteContext, RouteParams, Router, Secret, Var};

    type Plain<D> = fn(Request, RouteContext<D>) -> Result<Response>;

    const _: fn() -> Router<'static, ()> = Router::new;

    /// Handlers that are not `async` are function pointers.
    fn plain<'a, D: 'a>(data: D, handler: Plain<D>) -> Router<'a, D> {
        let _: [fn(Router<'a, D>, &str, Plain<D>) -> Router<'a, D>; 10] = [
            Router::head,
            Router::get,
            Router::post,
            Router::put,
            Router::patch,
            Router::delete,
            Router::options,
            Router::report,
            Router::on,
            Router::or_else_any_method,
        ];
        Router::with_data(data).get("/", handler)
    }

    /// The others may capture, and borrow for as long as the router lives.
    fn with_future<'a, D: 'a, T>(router: Router<'a, D>, handler: impl Fn(Request, RouteContext<D>) -> T + Copy + 'a)
    -> Router<'a, D>
    where
        T: Future<Output = Result<Response>> + 'a,
    {
        router
            .head_async("/", handler)
            .get_async("/", handler)
            .post_async("/", handler)
            .put_async("/", handler)
            .patch_async("/", handler)
            .delete_async("/", handler)
            .options_async("/", handler)
            .on_async("/all", handler)
            .or_else_any_method_async("/else", handler)
    }

    fn run<'a, D: 'a>(router: Router<'a, D>, request: Request, env: Env) {
        let _: Is<Result<Response>> = output(router.run(request, env));
    }

    fn fields<D>(context: RouteContext<D>) -> (D, Env) {
        let _: Is<Option<&String>> = of(context.param(""));
        let _: Is<Result<Secret>> = of(context.secret(""));
        let _: Is<Result<Var>> = of(context.var(""));
        let _: Is<Result<KvStore>> = of(context.kv(""));
        let _: Is<Result<ObjectNamespace>> = of(context.durable_object(""));
        let _: Is<Result<D1Database>> = of(context.d1(""));
        (context.data, context.env)
    }

    fn params(params: matchit::Params<'_, '_>) -> RouteParams {
        params.into()
    }

    fn traits() {
        debug::<Router<'static, ()>>();
        debug::<RouteContext<()>>();
        debug::<RouteParams>();
    }
}
